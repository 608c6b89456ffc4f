"""A recipe: everything that decides which bits a training ends with."""

from __future__ import annotations

import math
import shlex
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch

from bdnet.errors import InputError
from bdnet.models import BDMobileNetV1
from bdnet.models.mobilenet_v1 import Weights
from bdnet.units import Residual


@dataclass(frozen=True)
class Recipe:
    """The network and how it is trained; each field is an option of ``python -m bdnet.train``.

    Args:
        width, depthwise, pointwise, residual, stem_stride, strides: as in `BDMobileNetV1`.
        epochs: passes over the training images.
        batch_size: images a step; the rest of an epoch that fills no batch is left out.
        lr: Adam's highest learning rate; it rises in the first epoch, then falls as a cosine.
        label_smoothing: the share of each label's probability spread over all classes.
        shift: how many pixels an image is moved at most.
        seed: decides the initial weights, the order of images and their augmentation.
        threads: PyTorch's threads; sums are split among them, so they decide bits too.
    """

    width: float = 0.25
    depthwise: Weights = "ternary"
    pointwise: Weights = "binary"
    residual: Residual = "pre_bn"
    stem_stride: int = 2
    strides: tuple[int, ...] = (1, 1, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
    epochs: int = 30
    batch_size: int = 128
    lr: float = 5e-3
    label_smoothing: float = 0.0
    shift: int = 1
    seed: int = 0
    threads: int = 2

    def __post_init__(self) -> None:
        ranges: dict[str, tuple[float, float]] = {
            "epochs": (1, 10**6),
            "batch_size": (1, 10**6),
            "threads": (1, 1024),
            "seed": (0, 2**32),
            "shift": (0, 1024),
            "lr": (0, math.inf),
            "label_smoothing": (0, 0.99),
        }
        for name, (least, most) in ranges.items():
            value = getattr(self, name)
            if not least <= value <= most:  # so that NaN is refused as well
                raise InputError(f"{option(name)} is {value}; it must be {least:g} to {most:g}")

    def build(self, num_classes: int, in_channels: int) -> BDMobileNetV1:
        """The network with its initial weights."""
        torch.manual_seed(self.seed)
        return BDMobileNetV1(
            width=self.width,
            num_classes=num_classes,
            in_channels=in_channels,
            depthwise=self.depthwise,
            pointwise=self.pointwise,
            residual=self.residual,
            stem_stride=self.stem_stride,
            strides=self.strides,
        )

    def learning_rate(self, step: int, steps_per_epoch: int) -> float:
        """A linear rise over the first epoch, then half a cosine down to 0."""
        warmup = steps_per_epoch if self.epochs > 1 else 1
        if step < warmup:
            return self.lr * (step + 1) / warmup
        progress = (step - warmup) / max(1, self.epochs * steps_per_epoch - warmup)
        return self.lr * 0.5 * (1 + math.cos(math.pi * progress))

    def epoch_generator(self, epoch: int) -> torch.Generator:
        """The random numbers of one epoch, which depend on no other epoch.

        So a resumed run draws the same ones without a generator's state being kept.
        """
        return torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "strides": list(self.strides)}

    def command(self, output: str) -> str:
        """The command that trains by this recipe into the file called ``output``."""
        words = ["python", "-m", "bdnet.train", "-o", output]
        for field in fields(self):
            value = getattr(self, field.name)
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            words += [option(field.name), text]
        return shlex.join(words)


def option(field: str) -> str:
    """The command line's name of a recipe's field."""
    return "--" + field.replace("_", "-")
