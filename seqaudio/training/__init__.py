"""The loop, its settings, and runs that can be interrupted and go on."""
