"""Fashion-MNIST: 70,000 grey images of 28 x 28 of ten kinds of clothing, read from IDX files.

Xiao et al., 2017, https://github.com/zalandoresearch/fashion-mnist, MIT licence.
"""

from __future__ import annotations

import gzip
import math
import os
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bdnet.data.data_set import DataSet, cache_folder
from bdnet.data.images import Images, split
from bdnet.errors import InputError
from bdnet.preprocessing import Preprocessing

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
PREPROCESSING = Preprocessing(mean=(0.2860,), std=(0.3530,))
"""Mean and standard deviation of the 60,000 training images."""

_SYSTEM_FOLDER = Path("/usr/share/datasets/fashion-mnist")
_HOW_TO_GET_IT = (
    "on Debian or Ubuntu 'apt-get install dataset-fashion-mnist' puts it into "
    f"{_SYSTEM_FOLDER}; without root, 'apt-get download dataset-fashion-mnist' and "
    "'dpkg -x dataset-fashion-mnist_*.deb fm', then --data fm/usr/share/datasets/fashion-mnist"
)


def find_folder(folder: str | os.PathLike[str] | None = None) -> Path:
    """The folder with the IDX files: ``folder``, else the system's, else the user's cache.

    Raises:
        InputError: there is none; the message says how to get it.
    """
    if folder is not None:
        if not Path(folder).is_dir():
            raise InputError(f"there is no folder {folder} with Fashion-MNIST; {_HOW_TO_GET_IT}")
        return Path(folder)
    candidates = (_SYSTEM_FOLDER, cache_folder("fashion-mnist"))
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    searched = " or ".join(map(str, candidates))
    raise InputError(f"Fashion-MNIST is not in {searched}; {_HOW_TO_GET_IT}")


def read_idx(path: str | os.PathLike[str]) -> npt.NDArray[np.uint8]:
    """Reads an IDX file of unsigned bytes, gzipped if its name ends in ``.gz``.

    IDX: two zero bytes, the type (8 = uint8), the number of dimensions, each dimension as a
    big-endian uint32, then the values, the last dimension fastest.

    Raises:
        InputError: the file is missing, damaged, not IDX, or of another type than uint8.
    """
    path = Path(path)
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise InputError(
            f"{path} starts with the bytes '{content[:4].hex(' ')}'; "
            "an IDX file of unsigned bytes starts with '00 00 08'"
        )
    rank = content[3]
    start = 4 + 4 * rank
    shape = tuple(int.from_bytes(content[i : i + 4], "big") for i in range(4, start, 4))
    if len(content) != start + math.prod(shape):
        raise InputError(
            f"{path} has {len(content)} bytes; an IDX header of shape {list(shape)} asks for "
            f"{start + math.prod(shape)}: get the file again"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def data_set(folder: Path | None) -> DataSet:
    """Fashion-MNIST, from `find_folder`, with one training image in twelve for validation."""
    folder = find_folder(folder)
    training, validation = split(training_images(folder))
    _, channels, height, width = training.images.shape
    return DataSet(
        "Fashion-MNIST",
        training,
        validation,
        test_images(folder),
        PREPROCESSING,
        CLASSES,
        (channels, height, width),
    )


def is_there(folder: Path) -> bool:
    """Whether ``folder`` has one of its files."""
    return any(folder.glob("*-idx?-ubyte*"))


def training_images(folder: Path) -> Images:
    """The published training set: 60,000 images."""
    return _read(folder, "train")


def test_images(folder: Path) -> Images:
    """The published test set: 10,000 images, for one measurement when all choices are made."""
    return _read(folder, "t10k")


def _read(folder: Path, prefix: str) -> Images:
    pixels = read_idx(_file(folder, f"{prefix}-images-idx3-ubyte"))
    labels = read_idx(_file(folder, f"{prefix}-labels-idx1-ubyte"))
    if pixels.ndim != 3 or labels.ndim != 1 or len(pixels) != len(labels):
        raise InputError(
            f"the {prefix} files in {folder} hold images {list(pixels.shape)} and labels "
            f"{list(labels.shape)}; expected [N, H, W] and [N]"
        )
    if labels.size and labels.max() >= len(CLASSES):
        raise InputError(
            f"the {prefix} labels in {folder} go up to {labels.max()}; "
            f"Fashion-MNIST has the classes 0 to {len(CLASSES) - 1}"
        )
    return Images(pixels[:, None], labels)


def _file(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise InputError(f"{folder} has neither {name} nor {name}.gz; {_HOW_TO_GET_IT}")
