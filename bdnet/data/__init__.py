"""Data sets to train on, each in its own file."""
