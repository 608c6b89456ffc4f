"""Linear layers of signs to train."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bdnet.errors import InputError
from bdnet.quantize import binary_weight, sign_activation, ternary_weight, weight_scale


class SignLinear(nn.Module):
    """What binary and ternary linear layers share: y = linear(sign(x + shift)) * scale + bias.

    Args:
        in_features, out_features: as in ``nn.Linear``.
        bias: adds a learned number to each output.
        learned_shift: adds a learned number to each input before its sign; the sum is rounded
            once, then compared with zero.
        scale: multiplies each output by mean|w| of its weights.

    Shapes: x [..., in_features] -> [..., out_features]; ``weight``, the latent weights,
    [out_features, in_features].
    """

    kind: ClassVar[str]

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        learned_shift: bool = False,
        scale: bool = True,
    ) -> None:
        super().__init__()
        if in_features < 1 or out_features < 1:
            raise InputError(
                f"in_features is {in_features} and out_features {out_features}; "
                "both must be positive"
            )
        self.in_features, self.out_features, self.scale = in_features, out_features, scale
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        self.shift = nn.Parameter(torch.zeros(in_features)) if learned_shift else None
        self.bias = nn.Parameter(torch.zeros(out_features)) if bias else None
        nn.init.kaiming_normal_(self.weight, nonlinearity="linear")

    def quantized_weight(self) -> Tensor:
        """The weights the layer uses, in ``weight``'s shape, with gradients to it."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        if self.shift is not None:
            x = x + self.shift
        y = F.linear(sign_activation(x), self.quantized_weight())
        if self.scale:
            y = y * weight_scale(self.weight)
        return y if self.bias is None else y + self.bias

    def extra_repr(self) -> str:
        return (
            f"{self.in_features}, {self.out_features}, bias={self.bias is not None}, "
            f"scale={self.scale}, learned_shift={self.shift is not None}"
        )


class BinaryLinear(SignLinear):
    """A linear layer of signs with weights -1 and +1. Arguments as in `SignLinear`."""

    kind = "binary"

    def quantized_weight(self) -> Tensor:
        return binary_weight(self.weight)


class TernaryLinear(SignLinear):
    """A 1.58-bit linear layer: signs with weights -1, 0 and +1. Arguments as in `SignLinear`."""

    kind = "ternary"

    def quantized_weight(self) -> Tensor:
        return ternary_weight(self.weight)
