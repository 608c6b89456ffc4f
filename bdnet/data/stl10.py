"""STL-10: 5,000 + 8,000 labelled colour images of 96 x 96, from its binary files.

Coates et al., 2011, https://cs.stanford.edu/~acoates/stl10/. The unlabelled images are not used.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bdnet.data.data_set import DataSet
from bdnet.data.images import Images, split
from bdnet.errors import InputError
from bdnet.preprocessing import Preprocessing

FOLDER = "stl10_binary"
PREPROCESSING = Preprocessing(mean=(0.4467, 0.4398, 0.4066), std=(0.2603, 0.2566, 0.2713))
SIZE = 96


def stl10(folder: Path) -> DataSet:
    """STL-10, from ``folder``/stl10_binary."""
    folder = folder / FOLDER
    classes = tuple((folder / "class_names.txt").read_text().split())
    training, validation = split(_images(folder, "train"))
    test = _images(folder, "test")
    return DataSet("STL-10", training, validation, test, PREPROCESSING, classes, (3, SIZE, SIZE))


def _images(folder: Path, part: str) -> Images:
    """Pixels are stored column by column, labels from 1."""
    pixels = np.fromfile(folder / f"{part}_X.bin", np.uint8)
    labels = np.fromfile(folder / f"{part}_y.bin", np.uint8)
    if pixels.size != labels.size * 3 * SIZE * SIZE or not labels.size or labels.min() < 1:
        raise InputError(
            f"{folder} has {pixels.size} bytes of {part} images for {labels.size} labels; expected "
            f"{3 * SIZE * SIZE} for each, and labels from 1: get it again"
        )
    images = pixels.reshape(-1, 3, SIZE, SIZE).transpose(0, 1, 3, 2)
    return Images(np.ascontiguousarray(images), labels - np.uint8(1))
