"""Networks to export: small, and with constants that training could have left."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from bdnet import BDMobileNetV1, BDNet
from bdnet.layers import BinaryConv2d, TernaryConv2d
from bdnet.units import Head, SeparableBlock, SignUnit, Stem


def unsettle(model: BDNet, seed: int) -> BDNet:
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


TINY_SHAPE = (2, 11, 9)
