"""A small training: pictures whose class can be seen, in Fashion-MNIST's files, and a recipe."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from rich.console import Console

from bdnet import train
from bdnet.training.command_line import Request
from bdnet.training.recipe import Recipe

SIZE = 8
# One thread: the tensors are too small to share, and other work would hold two up.
RECIPE = Recipe(
    width=0.1,
    strides=(1, 2, *(1,) * 11),
    image_size=SIZE,
    epochs=3,
    batch_size=32,
    lr=5e-3,
    threads=1,
)


def write_idx(path: Path, values: npt.NDArray[np.uint8]) -> None:
    header = bytes([0, 0, 8, values.ndim])
    header += b"".join(size.to_bytes(4, "big") for size in values.shape)
    content = header + values.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def pictures(count: int, seed: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Noise with a bright square whose place and size say which of four classes it is."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 4, count).astype(np.uint8)
    images = generator.integers(0, 60, (count, SIZE, SIZE)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        top, size = (1 if label % 2 else 4), (2 if label < 2 else 3)
        image[top : top + size, 3 : 3 + size] = 250
    return images, labels


def write_data(folder: Path) -> Path:
    """240 training images, of which 20 are for validation, and 40 test images."""
    for prefix, count, suffix in (("train", 240, ".gz"), ("t10k", 40, "")):
        images, labels = pictures(count, seed=count)
        write_idx(folder / f"{prefix}-images-idx3-ubyte{suffix}", images)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte{suffix}", labels)
    return folder


def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def train_by(recipe: Recipe, output: Path, data: Path, shown: Console | None = None) -> None:
    train.run(Request(recipe, output, str(data)), shown or console())


BOTH = ["m.best.safetensors", "m.safetensors"]


class InterruptionError(Exception):
    """Stands for whatever ends a process."""


def interrupt_after(epochs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the next training stop in the middle of the epoch after ``epochs``."""
    real = Recipe.epoch_generator

    def stop(recipe: Recipe, epoch: int) -> torch.Generator:
        if epoch == epochs:
            raise InterruptionError
        return real(recipe, epoch)

    monkeypatch.setattr(Recipe, "epoch_generator", stop)
