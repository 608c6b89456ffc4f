"""A recipe: everything that decides which bits a training ends with."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import torch

from bdnet.errors import InputError
from bdnet.models import NETWORKS, Network
from bdnet.models.arguments import Weights
from bdnet.training import networks
from bdnet.units import Residual

Optimizer = Literal["adam", "adamw", "sgd"]
Schedule = Literal["cosine", "linear", "constant"]
Precision = Literal["float32", "bfloat16", "float16"]

_RANGES: dict[str, tuple[float, float]] = {
    "image_size": (1, 4096),
    "activation_epochs": (0, 10**6),
    "epochs": (1, 10**6),
    "batch_size": (1, 10**6),
    "threads": (1, 1024),
    "seed": (0, 2**32),
    "shift": (0, 1024),
    "smallest_crop": (0.01, 1),
    "lr": (0, math.inf),
    "warmup": (0, 10**6),
    "weight_decay": (0, 1),
    "label_smoothing": (0, 0.99),
    "distillation": (0, 1),
    "temperature": (0.01, 100),
    "ema": (0, 0.999999),
}
_CHOICES: dict[str, tuple[str, ...]] = {
    "optimizer": get_args(Optimizer),
    "schedule": get_args(Schedule),
    "precision": get_args(Precision),
}


@dataclass(frozen=True)
class Recipe:
    """The network and how it is trained; each field is an option of ``python -m bdnet.train``.

    Args:
        model: name of the network in ``bdnet.models``, or a short one of `networks.NAMES`.
        width: as the network takes it.
        depthwise, pointwise, residual, stem_stride, strides: likewise. Where nothing is given they
            are what suits the network and the size of the images; they stay None where the network
            has no such argument.
        image_size: height and width of the images. Image files are scaled and cropped to it; a data
            set with a size of its own must have this one.
        activation_epochs: passes of a first stage, in which activations are binarised and weights
            are not yet; 0 leaves it out. The second stage starts from its weights.
        epochs: passes over the training images with everything binarised.
        batch_size: images a step, over all processes; the rest of an epoch that fills no batch is
            left out.
        optimizer: "adam", "adamw" or "sgd" (Nesterov momentum 0.9), begun anew in each stage.
        lr: the highest learning rate of each stage.
        schedule: how it falls from there to 0: as half a "cosine", "linear", or not ("constant").
        warmup: epochs in which it rises to there.
        weight_decay: on weights of the stem, the classifier, and convolutions that are not
            binarised (yet). A binarised latent weight acts by its sign: it is left alone.
        label_smoothing: the share of each label's probability spread over all classes.
        flip: mirrors half of the images.
        shift: how many pixels an image is moved at most.
        smallest_crop: the least share of an image file's area that a random crop keeps.
        teacher: a checkpoint of ours, or ``package.module:function`` that makes any network.
        teacher_weights: the file with that function's weights.
        distillation: the share of the loss that is the teacher's, not the labels'.
        temperature: divides both networks' logits where they are compared.
        ema: decay of an exponential moving average of the weights, which is what is evaluated and
            kept; 0 is none.
        precision: of the float arithmetic in a step; evaluation is float32.
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
    image_size: int = 28
    activation_epochs: int = 0
    epochs: int = 30
    batch_size: int = 128
    optimizer: Optimizer = "adam"
    lr: float = 5e-3
    schedule: Schedule = "cosine"
    warmup: float = 1.0
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    flip: bool = True
    shift: int = 1
    smallest_crop: float = 1.0
    teacher: str | None = None
    teacher_weights: str | None = None
    distillation: float = 0.5
    temperature: float = 1.0
    ema: float = 0.0
    precision: Precision = "float32"
    seed: int = 0
    threads: int = 2

    def __post_init__(self) -> None:
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if not least <= value <= most:  # so that NaN is refused as well
                raise InputError(f"{option(name)} is {value}; it must be {least:g} to {most:g}")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise InputError(
                    f"{option(name)} is {getattr(self, name)!r}; "
                    f"it must be one of {', '.join(choices)}"
                )
        # The instance is frozen for others only.
        object.__setattr__(self, "model", networks.NAMES.get(self.model, self.model))
        if self.model not in NETWORKS:
            known = ", ".join([*NETWORKS, *networks.NAMES])
            raise InputError(f"--model is {self.model!r}; it must be one of {known}")
        if self.teacher_weights is not None and self.teacher is None:
            raise InputError("--teacher-weights is given without the --teacher it belongs to")
        defaults = networks.defaults(self.model, self.image_size)
        for name in networks.OPTIONS:
            if getattr(self, name) is None:
                object.__setattr__(self, name, defaults.get(name))
            elif name not in defaults:
                raise InputError(f"{self.model} has no {option(name)}; leave it out")

    @property
    def all_epochs(self) -> int:
        """Passes over the training images in both stages."""
        return self.activation_epochs + self.epochs

    def build(self, num_classes: int, in_channels: int) -> Network:
        """The network with its initial weights."""
        torch.manual_seed(self.seed)
        names = ("width", *networks.defaults(self.model, self.image_size))
        arguments: dict[str, Any] = {name: getattr(self, name) for name in names}
        arguments |= {"num_classes": num_classes, "in_channels": in_channels}
        return NETWORKS[self.model](**arguments, **networks.fixed(self.model, self.image_size))

    def learning_rate(self, step: int, steps_per_epoch: int, epochs: int | None = None) -> float:
        """A linear rise in the warm-up, then the schedule.

        Args:
            step: counted from the beginning of a stage.
            epochs: of that stage; by default the second one's.
        """
        epochs = self.epochs if epochs is None else epochs
        warmup = max(1, round(self.warmup * steps_per_epoch)) if epochs > self.warmup else 1
        if step < warmup:
            return self.lr * (step + 1) / warmup
        progress = (step - warmup) / max(1, epochs * steps_per_epoch - warmup)
        if self.schedule == "constant":
            return self.lr
        if self.schedule == "linear":
            return self.lr * (1 - progress)
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


def option(field: str) -> str:
    """The command line's name of a recipe's field."""
    return "--" + field.replace("_", "-")
