"""Training, in parts: recipe, augmentation, loop, resuming, progress."""
