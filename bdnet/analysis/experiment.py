"""What the experiments have in common: a small MobileNet V1, its training, its data."""

from __future__ import annotations

import argparse
import hashlib
import itertools
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bdnet.command import comma_list
from bdnet.data import fashion_mnist
from bdnet.data.images import Images, split
from bdnet.errors import InputError
from bdnet.models import BDNet
from bdnet.models.arguments import Weights, convolution
from bdnet.training.recipe import Recipe, option
from bdnet.units import Head, Residual, SeparableBlock, SignUnit, Stem

RESIDUALS: tuple[Residual, ...] = ("none", "post_bn", "pre_bn")
RESIDUAL_NAMES: dict[Residual, str] = {
    "none": "none",
    "post_bn": "post-BN",
    "pre_bn": "pre-BN",
}


@dataclass(frozen=True)
class Settings:
    """What is the same in all trainings of an experiment, on Fashion-MNIST.

    The network is MobileNet V1's stem and blocks (`bdnet.units.SeparableBlock`), fewer and narrower
    ones: a stem of stride 2 in float, the blocks, a float classifier.

    Args:
        channels: of the stem and of each block.
        strides: of each block.
        images: how many of the training images are used, the first ones of the training split.
        epochs, batch_size, lr, threads: as in `bdnet.training.recipe.Recipe`.

    Raises:
        InputError: they make no network, or none that can be trained.
    """

    channels: tuple[int, ...] = (16, 32, 32, 64, 64, 128, 128)
    strides: tuple[int, ...] = (2, 1, 2, 1, 1, 1)
    images: int = 11_000
    epochs: int = 5
    batch_size: int = 64
    lr: float = 5e-3
    threads: int = 1

    def __post_init__(self) -> None:
        if min(*self.channels, *self.strides, 1) < 1:
            raise InputError("--channels and --strides must be positive")
        if not 1 <= len(self.strides) == len(self.channels) - 1:
            raise InputError(
                f"--channels has {len(self.channels)} numbers and --strides {len(self.strides)}; "
                "give one number of channels more than strides, for the stem"
            )
        self.recipe("none", "binary", "binary", seed=0)

    def recipe(
        self, residual: Residual, depthwise: Weights, pointwise: Weights, seed: int
    ) -> Recipe:
        """How one network is trained."""
        return Recipe(
            residual=residual,
            depthwise=depthwise,
            pointwise=pointwise,
            seed=seed,
            epochs=self.epochs,
            batch_size=self.batch_size,
            lr=self.lr,
            threads=self.threads,
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }


def build(
    settings: Settings, residual: Residual, depthwise: Weights, pointwise: Weights, seed: int
) -> BDNet:
    """The network with its initial weights.

    ``seed`` alone decides these, and the order of the images and their augmentation in training:
    networks of one seed begin with the same latent weights whatever the other arguments are.
    """
    torch.manual_seed(seed)
    depthwise_conv = convolution("depthwise", depthwise)
    pointwise_conv = convolution("pointwise", pointwise)
    blocks = []
    for (c, m), stride in zip(itertools.pairwise(settings.channels), settings.strides, strict=True):
        conv = depthwise_conv(c, c, 3, stride, 1, groups=c, learned_shift=True)
        point = pointwise_conv(c, m, 1, learned_shift=True)
        blocks.append(SeparableBlock(SignUnit(conv, residual), SignUnit(point, residual)))
    first, last = settings.channels[0], settings.channels[-1]
    return BDNet(
        Stem(1, first, stride=2), nn.Sequential(*blocks), Head(last, len(fashion_mnist.CLASSES))
    )


_HELP = {
    "channels": "channels of the stem and of each block, with commas",
    "strides": "strides of the blocks, with commas",
    "images": "training images that are used",
    "epochs": "passes over them",
    "batch_size": "images a step",
    "lr": "highest learning rate",
    "threads": "of PyTorch; they decide bits too",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds ``--data`` and an option for each of the `Settings`."""
    parser.add_argument("--data", type=Path, help="folder with Fashion-MNIST's four IDX files")
    for field in fields(Settings):
        default: Any = field.default
        several = isinstance(default, tuple)
        shown = ",".join(map(str, default)) if several else default
        parser.add_argument(
            option(field.name),
            type=comma_list(int, "1,1,2") if several else type(default),
            default=default,
            metavar="N,N,..." if several else "N",
            help=f"{_HELP[field.name]} (default: {shown})",
        )


def settings(options: argparse.Namespace) -> Settings:
    """The settings that the options of `add_options` say."""
    return Settings(**{field.name: getattr(options, field.name) for field in fields(Settings)})


@dataclass(frozen=True)
class Data:
    """Fashion-MNIST as an experiment uses it.

    Args:
        training: the images trained on.
        validation, test: all of them.
        digest: SHA-256 of all three.
    """

    training: Images
    validation: Images
    test: Images
    digest: str


def read_data(folder: Path | None, images: int) -> Data:
    """Reads Fashion-MNIST and keeps the first ``images`` of its training split.

    Raises:
        InputError: it is not there, or has fewer images.
    """
    found = fashion_mnist.find_folder(folder)
    training, validation = split(fashion_mnist.training_images(found))
    if not 1 <= images <= len(training):
        raise InputError(
            f"--images is {images}; it must be 1 to {len(training)}, the training images there are"
        )
    training = Images(training.images[:images], training.labels[:images])
    test = fashion_mnist.test_images(found)
    digests = "".join(part.digest() for part in (training, validation, test))
    return Data(training, validation, test, hashlib.sha256(digests.encode()).hexdigest())
