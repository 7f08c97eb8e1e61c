"""Encoder -> stacked recurrent layers -> head. Import the modules one by one: baselines and checkpoints need no torch."""
