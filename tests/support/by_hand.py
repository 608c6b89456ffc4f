"""Units put together by hand from single layers, as users write them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from bdnet.layers import BinaryConv2d, RPReLU, Shortcut, SignConv2d


class FunctionalReLU(nn.Module):
    """ReLU without a module of PyTorch's own."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x)


ACTIVATIONS: dict[str, Callable[[int], nn.Module]] = {
    "rprelu": RPReLU,
    "prelu": nn.PReLU,
    "relu": lambda channels: nn.ReLU(),
    "function": lambda channels: FunctionalReLU(),
    "none": lambda channels: nn.Identity(),
}


@dataclass(frozen=True)
class Parts:
    """What a unit by hand has.

    Args:
        residual: "pre_bn", "post_bn" or "none".
        activation: one of `ACTIVATIONS`.
        first: whether a shortcut is the first operand of its sum.
        conv: further arguments of the convolution.
    """

    residual: str = "none"
    activation: str = "none"
    bn: bool = True
    first: bool = False
    kind: type[SignConv2d] = BinaryConv2d
    conv: dict[str, Any] = field(default_factory=dict)


class UnitByHand(nn.Module):
    """A convolution of signs, a sum, normalisation and activation.

    Args:
        channels, filters, kernel: of the convolution, padded so that a residual fits.
    """

    def __init__(self, parts: Parts, channels: int, filters: int, kernel: int) -> None:
        super().__init__()
        options = {"padding": kernel // 2} | parts.conv
        self.conv = parts.kind(channels, filters, kernel, **options)
        self.residual, self.first = parts.residual, parts.first
        self.shortcut = Shortcut(channels, filters, self.conv.stride)
        self.bn = nn.BatchNorm2d(filters) if parts.bn else nn.Identity()
        self.activation = ACTIVATIONS[parts.activation](filters)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        if self.residual == "pre_bn":
            y = self._join(y, x)
        y = self.bn(y)
        if self.residual == "post_bn":
            y = self._join(y, x)
        return self.activation(y)  # type: ignore[no-any-return]

    def _join(self, y: Tensor, x: Tensor) -> Tensor:
        across: Tensor = self.shortcut(x)
        return across + y if self.first else y + across


def pair_by_hand(first: Parts, second: Parts, channels: int, filters: int) -> nn.Module:
    """A depth-wise unit of 3x3 taps and a point-wise one, both by hand."""
    depthwise = Parts(**(vars(first) | {"conv": {"groups": channels} | first.conv}))
    return nn.Sequential(
        UnitByHand(depthwise, channels, channels, 3), UnitByHand(second, channels, filters, 1)
    )
