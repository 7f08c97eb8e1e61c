"""Folders of music -> a prepared corpus on disk -> batches; folders of recordings -> files of features.

Import modules one by one: whoever extracts features of sound needs nothing of notes.
"""
