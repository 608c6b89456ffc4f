"""Oxford Flowers 102: 8,189 photographs of flowers, from the files as they are published.

Nilsback and Zisserman, 2008, https://www.robots.ox.ac.uk/~vgg/data/flowers/102/.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bdnet.data.data_set import IMAGENET, DataSet
from bdnet.data.files import ImageFiles
from bdnet.errors import InputError

FOLDER = "flowers-102"
CLASSES = 102


def flowers102(folder: Path, size: int) -> DataSet:
    """From ``folder``/flowers-102: jpg/, imagelabels.mat and setid.mat, divided as published."""
    folder = folder / FOLDER
    labels = _matrix(folder / "imagelabels.mat", "labels") - 1
    if not labels.size or labels.min() < 0 or labels.max() >= CLASSES:
        raise InputError(f"{folder / 'imagelabels.mat'} has labels other than 1 to {CLASSES}")
    parts = []
    for name in ("trnid", "valid", "tstid"):
        numbers = _matrix(folder / "setid.mat", name)
        paths = tuple(folder / "jpg" / f"image_{number:05}.jpg" for number in numbers)
        parts.append(ImageFiles(paths, labels[numbers - 1], size))
    training, validation, test = parts
    classes = tuple(str(number) for number in range(1, CLASSES + 1))
    shape = (3, size, size)
    return DataSet("Flowers 102", training, validation, test, IMAGENET, classes, shape)


def _matrix(path: Path, name: str) -> Any:
    """The numbers of one variable of a MATLAB file, int64 [N]."""
    try:
        from scipy.io import loadmat
    except ImportError:
        raise InputError(
            "flowers102 has its labels in MATLAB files, which SciPy reads: "
            "pip install 'bdnet[data]'"
        ) from None
    with path.open("rb") as file:
        try:
            return np.asarray(loadmat(file)[name], np.int64).ravel()
        except Exception as error:  # damaged bytes make the reader raise almost anything
            raise InputError(f"{path} cannot be read ({error!r}): get it again") from None
