"""CIFAR-10 and CIFAR-100: 60,000 colour images of 32 x 32, from the files of the Python version.

Krizhevsky, 2009, https://www.cs.toronto.edu/~kriz/cifar.html. The files are pickles; they are read
without running what is in them.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bdnet.data.data_set import DataSet
from bdnet.data.images import Images, split
from bdnet.errors import InputError
from bdnet.preprocessing import Preprocessing


@dataclass(frozen=True)
class _Files:
    folder: str
    training: tuple[str, ...]
    test: str
    names: str
    labels: bytes
    class_names: bytes
    preprocessing: Preprocessing


_CIFAR10 = _Files(
    "cifar-10-batches-py",
    tuple(f"data_batch_{i}" for i in range(1, 6)),
    "test_batch",
    "batches.meta",
    b"labels",
    b"label_names",
    Preprocessing(mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616)),
)
_CIFAR100 = _Files(
    "cifar-100-python",
    ("train",),
    "test",
    "meta",
    b"fine_labels",
    b"fine_label_names",
    Preprocessing(mean=(0.5071, 0.4865, 0.4409), std=(0.2673, 0.2564, 0.2762)),
)


def cifar10(folder: Path) -> DataSet:
    """CIFAR-10, from ``folder``/cifar-10-batches-py."""
    return _read("CIFAR-10", folder, _CIFAR10)


def cifar100(folder: Path) -> DataSet:
    """CIFAR-100 with its hundred fine classes, from ``folder``/cifar-100-python."""
    return _read("CIFAR-100", folder, _CIFAR100)


def _read(name: str, folder: Path, files: _Files) -> DataSet:
    folder = folder / files.folder
    names = _unpickle(folder / files.names).get(files.class_names, [])
    training, validation = split(_images(folder, files.training, files.labels))
    return DataSet(
        name,
        training,
        validation,
        _images(folder, (files.test,), files.labels),
        files.preprocessing,
        tuple(label.decode() for label in names),
        (3, 32, 32),
    )


def _images(folder: Path, batches: tuple[str, ...], labels: bytes) -> Images:
    contents = [(folder / batch, _unpickle(folder / batch)) for batch in batches]
    try:
        pixels = np.concatenate([content[b"data"] for _, content in contents])
        numbers = np.concatenate([np.asarray(content[labels], np.uint8) for _, content in contents])
        images = pixels.reshape(len(numbers), 3, 32, 32)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{folder} has other content than CIFAR's Python version ({error!r}): get it again"
        ) from None
    return Images(np.asarray(images, np.uint8), numbers)


class _ArraysOnly(pickle.Unpickler):
    """Reads dictionaries of arrays and refuses everything else: a pickle can run any code."""

    _ALLOWED = (
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("_codecs", "encode"),
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def _unpickle(path: Path) -> dict[bytes, Any]:
    try:
        with path.open("rb") as file:
            content = _ArraysOnly(file, encoding="bytes").load()
    except FileNotFoundError:
        raise
    except Exception as error:  # damaged bytes make a pickle raise almost anything
        raise InputError(f"{path} cannot be read ({error}): get it again") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} holds a {type(content).__name__}, not CIFAR's dictionary")
    return content
