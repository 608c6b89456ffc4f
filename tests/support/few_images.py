"""Fashion-MNIST's four files with a few real images in them: those that come with bdnet."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bdnet import zoo
from support.training import write_idx

TRAINING = 300


def write(folder: Path) -> Path:
    """Writes the files into ``folder``, which is returned: 300 images to train on, 100 to test."""
    path = zoo.held_out_images("fashion-mnist")
    assert path is not None
    with np.load(path) as arrays:
        for name, part in (("train", slice(0, TRAINING)), ("t10k", slice(TRAINING, None))):
            write_idx(folder / f"{name}-images-idx3-ubyte", arrays["images"][part, 0])
            write_idx(folder / f"{name}-labels-idx1-ubyte", arrays["labels"][part])
    return folder
