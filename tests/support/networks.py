"""Networks to export: small, and with constants that training could have left."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import nn

from bdnet import BDMobileNetV1, BDNet, Network
from bdnet.layers import BinaryConv2d, TernaryConv2d
from bdnet.models import NETWORKS
from bdnet.units import Head, SeparableBlock, SignUnit, Stem

Model = TypeVar("Model", bound=nn.Module)


def unsettle(model: Model, seed: int) -> Model:
    """Gives every parameter and statistic a value that is neither 0 nor 1; returns ``model``."""
    generator = torch.Generator().manual_seed(seed)

    def noise(tensor: torch.Tensor, spread: float) -> torch.Tensor:
        return torch.randn(tensor.shape, generator=generator) * spread

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter += noise(parameter, 0.05 if name.endswith("weight") else 0.2)
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer += noise(buffer, 0.3)
            elif name.endswith("running_var"):
                buffer *= torch.exp(noise(buffer, 0.3))
    return model.eval()


SMALL: dict[str, dict[str, Any]] = {
    "BDMobileNetV1": {"width": 0.1, "strides": (1, 1, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)},
    # One projection, from 144 to 40 channels, averages over unequal numbers of them.
    "BDMobileNetV2": {
        "width": 0.25,
        "strides": (1, 1, 2, 2, 1, 1, 1),
        "repeats": (1,) * 7,
    },
    "ReActNetA": {"width": 0.1, "strides": (1, 1, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)},
    "BiRealNet18": {"width": 0.125, "stem_stride": 1},
}
"""Arguments that make each of `bdnet.models.NETWORKS` small and fit for 28 x 28 images."""

SMALL_SHAPE = (1, 28, 28)


def small_network(name: str, seed: int = 0) -> Network:
    """The network ``name`` as `SMALL` says, for one channel and ten classes."""
    torch.manual_seed(seed)
    return NETWORKS[name](num_classes=10, in_channels=1, **SMALL[name])  # type: ignore[call-arg]


def small_mobilenet(seed: int = 0, **config: Any) -> BDNet:
    """All thirteen blocks at width 0.25 for 28 x 28 images of one channel."""
    torch.manual_seed(seed)
    arguments = {"width": 0.25, "num_classes": 10, "in_channels": 1, "stem_stride": 1} | config
    return unsettle(BDMobileNetV1(**arguments), seed)


def tiny_network(
    seed: int = 0,
    *,
    residual: str = "pre_bn",
    activation: str = "rprelu",
    depthwise: type[BinaryConv2d] | type[TernaryConv2d] = TernaryConv2d,
    pointwise: type[BinaryConv2d] | type[TernaryConv2d] = BinaryConv2d,
    learned_shift: bool = True,
    pad_value: int = 0,
    scale: bool = True,
) -> BDNet:
    """Two blocks with a stride of 2 and odd channel counts: [N, 2, 11, 9] -> 5 classes."""
    torch.manual_seed(seed)
    more: dict[str, Any] = {"learned_shift": learned_shift, "scale": scale}

    def block(c: int, m: int, stride: int) -> SeparableBlock:
        first = depthwise(c, c, 3, stride, 1, groups=c, pad_value=pad_value, **more)
        second = pointwise(c, m, 1, **more)
        return SeparableBlock(
            SignUnit(first, residual, activation),  # type: ignore[arg-type]
            SignUnit(second, residual, activation),  # type: ignore[arg-type]
        )

    model = BDNet(Stem(2, 7, 1), nn.Sequential(block(7, 17, 2), block(17, 34, 1)), Head(34, 5))
    return unsettle(model, seed)


def broadcast_network(seed: int = 0) -> BDNet:
    """Shortcuts that repeat and average channels, in equal and unequal numbers: `TINY_SHAPE`."""
    torch.manual_seed(seed)
    binary, ternary = BinaryConv2d, TernaryConv2d
    body = nn.Sequential(
        SignUnit(binary(7, 42, 1), "pre_bn"),
        SignUnit(ternary(42, 42, 3, 2, 1, groups=42), "pre_bn"),
        SignUnit(binary(42, 7, 1, learned_shift=True), "pre_bn", "none"),
        SignUnit(binary(7, 30, 1), "post_bn"),
        SignUnit(binary(30, 13, 3, 2, 1), "post_bn", "prelu"),
        SeparableBlock(
            SignUnit(ternary(13, 13, 3, padding=1, groups=13)), SignUnit(binary(13, 9, 1))
        ),
    )
    return unsettle(BDNet(Stem(2, 7, 1), body, Head(9, 5)), seed)


TINY_SHAPE = (2, 11, 9)
