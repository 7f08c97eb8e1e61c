"""Encoder -> stacked recurrent layers -> head. Import modules one by one: baselines and checkpoints need no torch."""
