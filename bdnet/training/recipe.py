"""A recipe: everything that decides which bits a training ends with."""

from __future__ import annotations

import math
import shlex
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch

from bdnet.errors import InputError
from bdnet.models import NETWORKS, Network
from bdnet.models.arguments import Weights
from bdnet.units import Residual

_BD_NET = {"depthwise": "ternary", "pointwise": "binary", "residual": "pre_bn"}
_THIRTEEN = (1, 1, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)

_NETWORK_OPTIONS: dict[str, dict[str, Any]] = {
    "BDMobileNetV1": {**_BD_NET, "stem_stride": 2, "strides": _THIRTEEN},
    "BDMobileNetV2": {**_BD_NET, "stem_stride": 2, "strides": (1, 1, 2, 2, 1, 1, 1)},
    "ReActNetA": {"stem_stride": 2, "strides": _THIRTEEN},
    "BiRealNet18": {"stem_stride": 2, "strides": (1, 2, 2, 2)},
}
"""The options that each network has beside its width, with values for 28 x 28 images."""

NETWORK_OPTIONS = (*_BD_NET, "stem_stride", "strides")
"""The fields whose default depends on the network."""

_FIXED: dict[str, dict[str, Any]] = {"BiRealNet18": {"pool": False}}
"""What is no option and another for 28 x 28 images than the network's default."""


@dataclass(frozen=True)
class Recipe:
    """The network and how it is trained; each field is an option of ``python -m bdnet.train``.

    Args:
        model: name of the network in ``bdnet.models``.
        width: as the network takes it.
        depthwise, pointwise, residual, stem_stride, strides: likewise. Where nothing is given they
            are what suits the network and images of 28 x 28; they stay None where the network has
            no such argument.
        epochs: passes over the training images.
        batch_size: images a step; the rest of an epoch that fills no batch is left out.
        lr: Adam's highest learning rate; it rises in the first epoch, then falls as a cosine.
        label_smoothing: the share of each label's probability spread over all classes.
        shift: how many pixels an image is moved at most.
        seed: decides the initial weights, the order of images and their augmentation.
        threads: PyTorch's threads; sums are split among them, so they decide bits too.
    """

    model: str = "BDMobileNetV1"
    width: float = 0.25
    depthwise: Weights | None = None
    pointwise: Weights | None = None
    residual: Residual | None = None
    stem_stride: int | None = None
    strides: tuple[int, ...] | None = None
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
        if self.model not in _NETWORK_OPTIONS:
            known = ", ".join(_NETWORK_OPTIONS)
            raise InputError(f"--model is {self.model!r}; it must be one of {known}")
        defaults = _NETWORK_OPTIONS[self.model]
        for name in NETWORK_OPTIONS:
            if getattr(self, name) is None:
                # The instance is frozen for others only.
                object.__setattr__(self, name, defaults.get(name))
            elif name not in defaults:
                raise InputError(f"{self.model} has no {option(name)}; leave it out")

    def build(self, num_classes: int, in_channels: int) -> Network:
        """The network with its initial weights."""
        torch.manual_seed(self.seed)
        arguments: dict[str, Any] = {
            name: getattr(self, name) for name in ("width", *_NETWORK_OPTIONS[self.model])
        }
        arguments |= {"num_classes": num_classes, "in_channels": in_channels}
        return NETWORKS[self.model](**arguments, **_FIXED.get(self.model, {}))

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
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }

    def command(self, output: str) -> str:
        """The command that trains by this recipe into the file called ``output``."""
        words = ["python", "-m", "bdnet.train", "-o", output]
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None:
                continue
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            words += [option(field.name), text]
        return shlex.join(words)


def option(field: str) -> str:
    """The command line's name of a recipe's field."""
    return "--" + field.replace("_", "-")
