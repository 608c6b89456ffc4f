"""The operators of domain ``ai.bdnet`` as PyTorch operators: the exact reference.

Tensors are NHWC. Each function computes in a way that no backend can make inexact: signs are
summed as integers in float32, exact in any order below 2^24; float sums that a sign follows are
spelt out as separate multiplications and additions (docs/numerics.md). They are ``torch.library``
operators so that ``torch.export`` keeps each as one node, which bdnet_export turns into the ONNX
operator of the same name.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from bdnet.errors import InputError
from bdnet.packing import unpack_plane

EXACT_INTEGERS = 2**24
"""float32 holds every integer up to here, so a sum of fewer signs is exact in any order."""


def _extent(size: int, before: int, after: int, kernel: int, stride: int, dilation: int) -> int:
    """Length of a convolution's output along one axis."""
    return (size + before + after - dilation * (kernel - 1) - 1) // stride + 1


def _conv_shape(
    x: Tensor,
    filters: int,
    kernel_shape: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
) -> list[int]:
    top, left, bottom, right = pads
    h = _extent(x.shape[1], top, bottom, kernel_shape[0], strides[0], dilations[0])
    w = _extent(x.shape[2], left, right, kernel_shape[1], strides[1], dilations[1])
    return [x.shape[0], h, w, filters]


def _tap(
    x: Tensor, ky: int, kx: int, shape: Sequence[int], strides: Sequence[int], dils: Sequence[int]
) -> Tensor:
    """What tap (ky, kx) of every window sees: a strided view [N, Ho, Wo, C] of padded ``x``."""
    top, left = ky * dils[0], kx * dils[1]
    bottom = top + (shape[1] - 1) * strides[0] + 1
    right = left + (shape[2] - 1) * strides[1] + 1
    return x[:, top : bottom : strides[0], left : right : strides[1]]


def _pad(x: Tensor, pads: Sequence[int], value: float) -> Tensor:
    top, left, bottom, right = pads
    return F.pad(x, (0, 0, left, right, top, bottom), value=value)


def _sign_convolution(
    x: Tensor,
    weight: Tensor,
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    group: int,
    pad_value: int,
) -> Tensor:
    """Convolves the signs of x [N, H, W, C] with weights of -1, 0, +1, float [M, kh, kw, Cg]."""
    filters, kh, kw, channels = weight.shape
    if x.dim() != 4 or x.shape[3] != group * channels:
        raise InputError(
            f"the input has shape {list(x.shape)}; expected [N, H, W, {group * channels}]"
        )
    if kh * kw * channels >= EXACT_INTEGERS:
        raise InputError(
            f"a filter of {kh} x {kw} x {channels} signs can sum to more than float32 holds "
            f"exactly; it must have fewer than {EXACT_INTEGERS}"
        )
    shape = _conv_shape(x, filters, (kh, kw), strides, pads, dilations)
    bits = _pad(torch.where(x >= 0, 1.0, -1.0).to(torch.float32), pads, float(pad_value))
    y = torch.zeros(shape, dtype=torch.float32, device=x.device)
    for ky in range(kh):
        for kx in range(kw):
            tap = _tap(bits, ky, kx, shape, strides, dilations)
            taps = weight[:, ky, kx]
            if channels == 1 and filters == group:
                y += tap * taps[:, 0]
            elif group == 1:
                y += tap @ taps.t()
            else:
                grouped = tap.unflatten(3, (group, channels))
                y += torch.einsum(
                    "nhwgc,gmc->nhwgm", grouped, taps.unflatten(0, (group, -1))
                ).flatten(3)
    return y


@torch.library.custom_op("bdnet::binary_conv", mutates_args=())
def binary_conv(
    x: Tensor,
    weight: Tensor,
    kernel_shape: Sequence[int],
    channels: int,
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    group: int,
    pad_value: int,
) -> Tensor:
    """Convolution of signs with binary weights; the result is an integer, as float32.

    Args:
        x: float32 [N, H, W, group * channels]; its signs are taken here (x >= 0 is +1).
        weight: uint8 [M, B], packing v1.
        kernel_shape, strides, dilations: (vertical, horizontal).
        channels: input channels of a group.
        pads: (top, left, bottom, right), filled with ``pad_value`` after binarisation.
        pad_value: -1, 0 or +1.

    Returns:
        float32 [N, Ho, Wo, M].
    """
    bits = unpack_plane(weight, (kernel_shape[0], kernel_shape[1]), channels)
    signs = bits.to(torch.float32) * 2 - 1
    return _sign_convolution(x, signs, strides, pads, dilations, group, pad_value)


def _ternary_values(weight: Tensor, kernel: tuple[int, int], channels: int) -> Tensor:
    """Packed planes [2, M, B] as -1, 0 and +1, float32 [M, kh, kw, channels]."""
    if weight.dim() != 3 or weight.shape[0] != 2:
        raise InputError(
            f"ternary weights have shape {list(weight.shape)}; expected [2, filters, bytes]"
        )
    upper, lower = (unpack_plane(plane, kernel, channels) for plane in weight)
    return upper.to(torch.float32) + lower.to(torch.float32) - 1


@torch.library.custom_op("bdnet::ternary_conv", mutates_args=())
def ternary_conv(
    x: Tensor,
    weight: Tensor,
    kernel_shape: Sequence[int],
    channels: int,
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    group: int,
    pad_value: int,
) -> Tensor:
    """Convolution of signs with 1.58-bit weights. As `binary_conv`, with two planes.

    Args:
        weight: uint8 [2, M, B], the planes sign(w - d) and sign(w + d) in packing v1.
    """
    values = _ternary_values(weight, (kernel_shape[0], kernel_shape[1]), channels)
    return _sign_convolution(x, values, strides, pads, dilations, group, pad_value)


@binary_conv.register_fake
@ternary_conv.register_fake
def _(
    x: Tensor,
    weight: Tensor,
    kernel_shape: Sequence[int],
    channels: int,
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    group: int,
    pad_value: int,
) -> Tensor:
    # Filters stand in the last dimension but one, with a dimension of planes before it or not.
    return x.new_empty(_conv_shape(x, weight.shape[-2], kernel_shape, strides, pads, dilations))


def _sign_product(x: Tensor, weight: Tensor, channels: int) -> Tensor:
    """The signs of x [..., channels] times weights of -1, 0, +1, float [M, channels]."""
    if x.dim() == 0 or x.shape[-1] != channels:
        raise InputError(f"the input has shape {list(x.shape)}; expected [..., {channels}]")
    if channels >= EXACT_INTEGERS:
        raise InputError(
            f"{channels} signs can sum to more than float32 holds exactly; "
            f"there must be fewer than {EXACT_INTEGERS}"
        )
    return torch.where(x >= 0, 1.0, -1.0).to(torch.float32) @ weight.t()


@torch.library.custom_op("bdnet::binary_linear", mutates_args=())
def binary_linear(x: Tensor, weight: Tensor, channels: int) -> Tensor:
    """Linear layer of signs with binary weights; the result is an integer, as float32.

    Args:
        x: float32 [..., channels]; its signs are taken here (x >= 0 is +1).
        weight: uint8 [M, B], packing v1: filters of one tap.

    Returns:
        float32 [..., M].
    """
    bits = unpack_plane(weight, (1, 1), channels).flatten(1)
    return _sign_product(x, bits.to(torch.float32) * 2 - 1, channels)


@torch.library.custom_op("bdnet::ternary_linear", mutates_args=())
def ternary_linear(x: Tensor, weight: Tensor, channels: int) -> Tensor:
    """Linear layer of signs with 1.58-bit weights. As `binary_linear`, with two planes.

    Args:
        weight: uint8 [2, M, B], the planes sign(w - d) and sign(w + d) in packing v1.
    """
    return _sign_product(x, _ternary_values(weight, (1, 1), channels).flatten(1), channels)


@binary_linear.register_fake
@ternary_linear.register_fake
def _(x: Tensor, weight: Tensor, channels: int) -> Tensor:
    return x.new_empty([*x.shape[:-1], weight.shape[-2]])


@torch.library.custom_op("bdnet::ordered_conv", mutates_args=())
def ordered_conv(
    x: Tensor,
    weight: Tensor,
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
) -> Tensor:
    """Float convolution whose sum has one order: taps (ky, kx, channel), the channel fastest.

    acc = 0, then acc = acc + x * w for each tap, product and sum each rounded to float32.

    Args:
        x: float32 [N, H, W, C], padded with zeros by ``pads`` (top, left, bottom, right).
        weight: float32 [kh, kw, C, M].

    Returns:
        float32 [N, Ho, Wo, M].
    """
    kh, kw, channels, filters = weight.shape
    if x.dim() != 4 or x.shape[3] != channels:
        raise InputError(f"the input has shape {list(x.shape)}; expected [N, H, W, {channels}]")
    shape = _conv_shape(x, filters, (kh, kw), strides, pads, dilations)
    padded = _pad(x, pads, 0.0)
    y = torch.zeros(shape, dtype=torch.float32, device=x.device)
    for ky in range(kh):
        for kx in range(kw):
            tap = _tap(padded, ky, kx, shape, strides, dilations)
            for c in range(channels):
                y = y + tap[..., c : c + 1] * weight[ky, kx, c]
    return y


@ordered_conv.register_fake
def _(
    x: Tensor,
    weight: Tensor,
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
) -> Tensor:
    kh, kw, _, filters = weight.shape
    return x.new_empty(_conv_shape(x, filters, (kh, kw), strides, pads, dilations))


def _pooled_shape(x: Tensor, kernel_shape: Sequence[int]) -> list[int]:
    kh, kw = kernel_shape
    # Rounded up, in the form in which `_extent` is: where a side is symbolic they are to be equal.
    return [x.shape[0], (x.shape[1] - 1) // kh + 1, (x.shape[2] - 1) // kw + 1, x.shape[3]]


@torch.library.custom_op("bdnet::ordered_average_pool", mutates_args=())
def ordered_average_pool(x: Tensor, kernel_shape: Sequence[int]) -> Tensor:
    """Averages of kh x kw windows side by side, summed in one order.

    The taps of a window that lie inside the image are added row by row; the sum is divided by
    their number. Windows at the lower and right edge may be smaller.

    Args:
        x: float32 [N, H, W, C].

    Returns:
        float32 [N, ceil(H / kh), ceil(W / kw), C].
    """
    kh, kw = kernel_shape
    shape = _pooled_shape(x, kernel_shape)
    pads = (0, 0, shape[1] * kh - x.shape[1], shape[2] * kw - x.shape[2])
    # Adding the zeros of the padding changes no sum, so edges need no case of their own.
    padded = _pad(x, pads, 0.0)
    ones = torch.ones(1, x.shape[1], x.shape[2], 1, dtype=torch.float32, device=x.device)
    inside = _pad(ones, pads, 0.0)
    y = torch.zeros(shape, dtype=torch.float32, device=x.device)
    count = torch.zeros_like(inside[:, ::kh, ::kw])
    for ky in range(kh):
        for kx in range(kw):
            y = y + padded[:, ky::kh, kx::kw]
            count = count + inside[:, ky::kh, kx::kw]
    return y / count


@ordered_average_pool.register_fake
def _(x: Tensor, kernel_shape: Sequence[int]) -> Tensor:
    return x.new_empty(_pooled_shape(x, kernel_shape))


@torch.library.custom_op("bdnet::channel_prelu", mutates_args=())
def channel_prelu(x: Tensor, slope: Tensor) -> Tensor:
    """x where x >= 0, else x * slope, with one slope for each channel.

    ``F.prelu`` keeps channels in the second dimension, not in the last.

    Args:
        x: float32 [N, H, W, C].
        slope: float32 [C].
    """
    return torch.where(x >= 0, x, x * slope)


@channel_prelu.register_fake
def _(x: Tensor, slope: Tensor) -> Tensor:
    return torch.empty_like(x)
