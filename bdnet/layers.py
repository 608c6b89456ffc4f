"""Layers to train: binary and ternary convolutions, activations, shortcuts. All NCHW, float32."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from bdnet.errors import InputError
from bdnet.linear import BinaryLinear as BinaryLinear
from bdnet.linear import SignLinear as SignLinear
from bdnet.linear import TernaryLinear as TernaryLinear
from bdnet.quantize import binary_weight, sign_activation, ternary_weight, weight_scale

ActivationName = Literal["rprelu", "prelu", "relu", "none"]
Pair = tuple[int, int]
Sides = tuple[int, int, int, int]


def pair(value: int | Pair) -> Pair:
    """``3`` as ``(3, 3)``; a pair as it is."""
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _sides(padding: int | Pair | Sides) -> Sides:
    """Padding as (top, left, bottom, right)."""
    sides = (padding, padding) if isinstance(padding, int) else tuple(padding)
    if len(sides) == 2:
        sides *= 2
    if len(sides) != 4 or min(sides) < 0:
        raise InputError(
            f"padding is {padding!r}; it must be a number of pixels, a pair (vertical, "
            "horizontal) or (top, left, bottom, right), none of them negative"
        )
    return (sides[0], sides[1], sides[2], sides[3])


class SignConv2d(nn.Module):
    """What binary and ternary convolutions share: y = conv(sign(x + shift)) * scale + bias.

    The signs of the activations are padded after binarisation, with ``pad_value``: 0 is a third
    value that takes no part in the sum, +1 and -1 are signs like any other.

    Args:
        in_channels, out_channels, kernel_size, stride, dilation, groups: as in ``nn.Conv2d``.
        padding: in pixels: a number, a pair (vertical, horizontal), or (top, left, bottom, right).
        pad_value: 0, +1 or -1.
        learned_shift: adds a learned number to each input channel before its sign (ReActNet's
            RSign); the sum is rounded once, then compared with zero.
        scale: multiplies each output channel by mean|w| of its filter.
        bias: adds a learned number to each output channel, after the scale. In front of a batch
            normalisation, as in a `bdnet.units.SignUnit`, it says nothing that BN does not.

    Shapes: x [N, in_channels, H, W] -> [N, out_channels, Ho, Wo]; ``weight``, the latent weights,
    [out_channels, in_channels / groups, kh, kw].
    """

    kind: ClassVar[str]

    real_weights: bool = False
    """Set on a layer by the first stage of a training in two: the latent weights act by their
    value and are not scaled, while activations are signs already (Martinez et al., Real-to-Binary,
    2020). It is no part of a checkpoint; the deployment form knows signs alone."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Pair,
        stride: int | Pair = 1,
        padding: int | Pair | Sides = 0,
        dilation: int | Pair = 1,
        groups: int = 1,
        *,
        pad_value: int = 0,
        learned_shift: bool = False,
        scale: bool = True,
        bias: bool = False,
    ) -> None:
        super().__init__()
        if pad_value not in (-1, 0, 1):
            raise InputError(f"pad_value is {pad_value!r}; it must be -1, 0 or +1")
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise InputError(
                f"groups is {groups}; it must divide in_channels ({in_channels}) "
                f"and out_channels ({out_channels})"
            )
        for name, value in (
            ("kernel_size", kernel_size),
            ("stride", stride),
            ("dilation", dilation),
        ):
            if min(pair(value)) < 1:
                raise InputError(f"{name} is {value!r}; it must be positive")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride = pair(kernel_size), pair(stride)
        self.padding, self.dilation = _sides(padding), pair(dilation)
        self.groups, self.pad_value, self.scale = groups, pad_value, scale
        self.weight = nn.Parameter(
            torch.empty(out_channels, in_channels // groups, *self.kernel_size)
        )
        self.shift = nn.Parameter(torch.zeros(in_channels)) if learned_shift else None
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        nn.init.kaiming_normal_(self.weight, nonlinearity="linear")

    def quantized_weight(self) -> Tensor:
        """The weights the convolution uses, in ``weight``'s shape, with gradients to it."""
        raise NotImplementedError

    def quantized_activation(self, x: Tensor) -> Tensor:
        """What the convolution reads, in ``x``'s shape, with gradients to it."""
        return sign_activation(x)

    def forward(self, x: Tensor) -> Tensor:
        if self.shift is not None:
            x = x + self.shift.view(1, -1, 1, 1)
        bits = self.quantized_activation(x)
        top, left, bottom, right = self.padding
        padding = (top, left)
        # oneDNN's gradients are ten times slower on maps smaller than the kernel, unless the
        # padding is already in them.
        small = x.shape[2] < self.kernel_size[0] or x.shape[3] < self.kernel_size[1]
        if self.pad_value != 0 or small or padding != (bottom, right):
            bits = F.pad(bits, (left, right, top, bottom), value=float(self.pad_value))
            padding = (0, 0)
        y = F.conv2d(
            bits,
            self.weight if self.real_weights else self.quantized_weight(),
            stride=self.stride,
            padding=padding,
            dilation=self.dilation,
            groups=self.groups,
        )
        if self.scale and not self.real_weights:
            y = y * weight_scale(self.weight).view(1, -1, 1, 1)
        if self.bias is not None:
            y = y + self.bias.view(1, -1, 1, 1)
        return y

    def extra_repr(self) -> str:
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"groups={self.groups}, pad_value={self.pad_value}, scale={self.scale}, "
            f"learned_shift={self.shift is not None}, bias={self.bias is not None}"
        )


class BinaryConv2d(SignConv2d):
    """A convolution of signs with weights -1 and +1. Arguments as in `SignConv2d`."""

    kind = "binary"

    def quantized_weight(self) -> Tensor:
        return binary_weight(self.weight)


class TernaryConv2d(SignConv2d):
    """A 1.58-bit convolution: signs with weights -1, 0 and +1. Arguments as in `SignConv2d`.

    It is the mean of two binary convolutions whose weights, sign(w - d) and sign(w + d), come
    from one latent weight, so it costs no parameter more than a binary one (Kim et al., BD-Net,
    2026).
    """

    kind = "ternary"

    def quantized_weight(self) -> Tensor:
        return ternary_weight(self.weight)


class FloatConv2d(SignConv2d):
    """The same place in a float twin: y = conv(x + shift) + bias, nothing in it quantised.

    A network made of these is what quantisation is measured against, and a teacher for it; it has
    no deployment form. Arguments as in `SignConv2d`; there is no scale, whatever ``scale`` says.
    """

    kind = "float"
    real_weights = True

    def quantized_weight(self) -> Tensor:
        return self.weight

    def quantized_activation(self, x: Tensor) -> Tensor:
        return x


class _RPReLUFunction(torch.autograd.Function):
    """RPReLU in few passes over memory: a third of a training step goes into this function."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        x: Tensor,
        shift_in: Tensor,
        slope: Tensor,
        shift_out: Tensor,
    ) -> Tensor:
        shape = (1, -1, 1, 1)
        moved = x + shift_in.view(shape)
        ctx.save_for_backward(moved, slope)
        return F.prelu(moved, slope).add_(shift_out.view(shape))

    @staticmethod
    @once_differentiable
    def backward(
        ctx: torch.autograd.function.FunctionCtx, gradient: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        moved, slope = ctx.saved_tensors  # type: ignore[attr-defined]
        # ReLU's own backward splits the gradient; torch.where is 20 times slower on a CPU.
        positive = torch.ops.aten.threshold_backward(gradient, moved, 0)
        negative = gradient - positive
        to_x = positive.addcmul_(negative, slope.view(1, -1, 1, 1))
        to_slope = negative.mul_(moved).sum((0, 2, 3))
        return to_x, to_x.sum((0, 2, 3)), to_slope, gradient.sum((0, 2, 3))


class RPReLU(nn.Module):
    """ReActNet's activation: a PReLU whose kink each channel moves in both directions.

    y = prelu(x + shift_in) + shift_out, with one ``slope`` for the negative side of each channel
    (Liu et al., ReActNet, 2020, eq. 5, with gamma = -shift_in and zeta = shift_out).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.shift_in = nn.Parameter(torch.zeros(channels))
        self.slope = nn.Parameter(torch.full((channels,), 0.25))
        self.shift_out = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return _RPReLUFunction.apply(  # type: ignore[no-any-return, no-untyped-call]
            x, self.shift_in, self.slope, self.shift_out
        )


def make_activation(name: ActivationName, channels: int) -> nn.Module:
    """The activation called ``name``, with its own parameters for each of ``channels``."""
    if name == "rprelu":
        return RPReLU(channels)
    if name == "prelu":
        return nn.PReLU(channels)
    if name == "relu":
        return nn.ReLU()
    if name == "none":
        return nn.Identity()
    raise InputError(f"activation is {name!r}; it must be 'rprelu', 'prelu', 'relu' or 'none'")


def average_channels(x: Tensor, channels: int, dim: int) -> Tensor:
    """Averages the channels that fall together: output j of inputs j, j + M, j + 2M and so on.

    They are added in this order, each sum rounded, then divided once by their number, which is
    one more for the first outputs where M does not divide C (docs/numerics.md, rule 6).

    Args:
        x: C channels in dimension ``dim``, C >= M.
        channels: M.
    """
    copies, rest = divmod(x.shape[dim], channels)
    y = x.narrow(dim, 0, channels)
    for copy in range(1, copies):
        y = y + x.narrow(dim, copy * channels, channels)
    if rest == 0:
        return y / copies
    longer = y.narrow(dim, 0, rest) + x.narrow(dim, copies * channels, rest)
    return torch.cat([longer / (copies + 1), y.narrow(dim, rest, channels - rest) / copies], dim)


class Shortcut(nn.Module):
    """The parameter-free path around a convolution: [N, C, H, W] -> [N, M, ceil(H/s), ceil(W/s)].

    With a stride it averages s x s windows (those at the lower and right edge over the pixels
    that exist). Where the numbers of channels differ it is a broadcast residual: with more
    outputs than inputs it repeats the channels, output j from input j mod C; with fewer it
    averages them, output j over the inputs i with i mod M = j, so that an average behind a
    repetition is the identity. A stride is averaged over first, then the channels.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int | Pair = 1) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.stride = in_channels, out_channels, pair(stride)

    def forward(self, x: Tensor) -> Tensor:
        if self.stride != (1, 1):
            x = F.avg_pool2d(x, self.stride, ceil_mode=True, count_include_pad=False)
        if self.out_channels < self.in_channels:
            return average_channels(x, self.out_channels, dim=1)
        if self.out_channels > self.in_channels:
            x = x.repeat(1, -(-self.out_channels // self.in_channels), 1, 1)
            x = x[:, : self.out_channels]
        return x

    def extra_repr(self) -> str:
        return f"{self.in_channels}, {self.out_channels}, stride={self.stride}"
