"""A module of a user's own for the options of export: bytes, a second input, Linear layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bdnet.layers import BinaryConv2d
from bdnet.units import SignUnit
from support.networks import unsettle

SHAPES = {"image": (3, 12, 10), "depth": (1, 12, 10)}
CLASSES = 7


class Two(nn.Module):
    """An image and its depth to a map and to scores; it writes into what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.image = nn.Conv2d(3, 8, 3, 1, 1)  # called as the input is
        self.unit = SignUnit(BinaryConv2d(8, 20, 3, 1, 1, learned_shift=True))
        self.hidden = nn.Linear(20, 60)
        self.classifier = nn.Linear(60, CLASSES)

    def forward(self, image: Tensor, depth: Tensor) -> dict[str, Tensor]:
        x = self.unit(self.image(image) * depth.mul_(0.5))
        y = torch.relu(self.hidden(x.mean((2, 3))))
        return {"scores": self.classifier(y), "map": x}


class Scores(Two):
    """The scores alone."""

    def forward(self, image: Tensor, depth: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(image, depth)["scores"]


def two() -> nn.Module:
    torch.manual_seed(0)
    return unsettle(Two(), 0)


def scores() -> nn.Module:
    torch.manual_seed(0)
    return unsettle(Scores(), 0)
