"""The data sets by name, where each is looked for, and how it gets there."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable
from pathlib import Path

from bdnet.data import cifar, fashion_mnist, flowers102, folder, stl10
from bdnet.data.data_set import DataSet, cache_folder
from bdnet.errors import InputError

_Reader = Callable[[Path, int], DataSet]

_READERS: dict[str, _Reader] = {
    "cifar10": lambda root, size: cifar.cifar10(root),
    "cifar100": lambda root, size: cifar.cifar100(root),
    "stl10": lambda root, size: stl10.stl10(root),
    "tiny-imagenet": folder.tiny_imagenet,
    "flowers102": flowers102.flowers102,
    "imagenet": folder.imagenet,
}
NAMES = ("fashion-mnist", *_READERS)
"""What ``--data`` knows by name; anything else is a folder."""

_TORCHVISION = {
    "cifar10": "CIFAR10",
    "cifar100": "CIFAR100",
    "stl10": "STL10",
    "flowers102": "Flowers102",
}
"""Classes of ``torchvision.datasets``; each fetches all of its parts at once."""
_WHERE = {
    "tiny-imagenet": "unpack http://cs231n.stanford.edu/tiny-imagenet-200.zip there",
    "imagenet": "put its train and val there, each with a folder for each class; image-net.org has "
    "them for those who register",
}


def open_data(data: str, root: Path | None, size: int, download: bool) -> DataSet:
    """The data set that ``data`` names.

    Args:
        data: one of `NAMES`; or a folder, of class folders or with Fashion-MNIST's four files.
        root: where a named one is; by default `cache_folder`.
        size: height and width that image files are made into; what a data set without files must
            have.
        download: gets a named one into ``root`` first, if it is not there.

    Raises:
        InputError: it is not there, or something else is.
    """
    if data not in NAMES:
        return _own(data, root, size, download)
    if data == "fashion-mnist":
        if download:
            raise InputError(
                "--download does not know fashion-mnist; on Debian or Ubuntu, "
                "'apt-get install dataset-fashion-mnist'"
            )
        return _of_size(fashion_mnist.data_set(root), size)
    place = cache_folder(data) if root is None else root
    if download:
        _download(data, place)
    try:
        return _of_size(_READERS[data](place, size), size)
    except (FileNotFoundError, NotADirectoryError) as error:
        how = _WHERE.get(data, "run again with --download (which needs pip install 'bdnet[data]')")
        raise InputError(
            f"{data} is not in {place} ({error.filename or error} is missing): {how}, or say where "
            "it is with --data-folder"
        ) from None


def _own(data: str, root: Path | None, size: int, download: bool) -> DataSet:
    if root is not None or download:
        raise InputError(
            f"--data is {data!r}; --data-folder and --download go with one of {', '.join(NAMES)}"
        )
    path = Path(data)
    if not path.is_dir():
        close = difflib.get_close_matches(data, NAMES, 1, cutoff=0.6)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise InputError(
            f"--data is {data!r}: there is no such folder, and {hint}the data sets known by name "
            f"are {', '.join(NAMES)}"
        )
    if fashion_mnist.is_there(path):
        return _of_size(fashion_mnist.data_set(path), size)
    return folder.own_folder(path, size)


def _of_size(data: DataSet, size: int) -> DataSet:
    if data.shape[1:] != (size, size):
        _, height, width = data.shape
        raise InputError(
            f"{data.name} has images of {height} x {width} and the recipe is for {size} x {size}: "
            f"use a recipe for it, or --image-size {height}"
        )
    return data


def _download(data: str, place: Path) -> None:
    if data not in _TORCHVISION:
        raise InputError(f"--download does not know {data}: {_WHERE[data]} ({place})")
    try:
        datasets = importlib.import_module("torchvision.datasets")
    except (ImportError, RuntimeError) as error:  # the latter where it is built for another PyTorch
        raise InputError(
            f"--download needs torchvision, which cannot be imported ({error}): "
            "pip install 'bdnet[data]', with the build that belongs to this PyTorch"
        ) from None
    place.mkdir(parents=True, exist_ok=True)
    try:
        getattr(datasets, _TORCHVISION[data])(str(place), download=True)
    except (OSError, RuntimeError) as error:
        raise InputError(f"{data} could not be downloaded into {place}: {error}") from None
