"""Quantisers: from latent weights and activations to signs, and the gradients through them.

Training, packing and export decide every bit with the functions in this file, so that a weight
cannot be one thing to the optimiser and another to the kernel (docs/numerics.md).

The gradients can be differentiated once more, by the same rule: the derivative of a sign is its
straight-through estimator's slope (`bdnet.analysis.curvature` says what that is the Hessian of).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

TERNARY_THRESHOLD_RATIO = 0.5
"""d = 0.5 mean|w|: where a ternary weight turns from 0 to +1 (-1 at minus that)."""


def signs(x: Tensor) -> Tensor:
    """+1 where ``x >= 0`` and -1 elsewhere, in ``x``'s dtype: 0.0 and -0.0 are +1, NaN is -1.

    ``torch.sign`` is another function: it sends 0 to 0, a third value.
    """
    # torch.where would say it more plainly and take ten times as long on a CPU.
    at_least_zero = torch.ge(x.detach(), 0, out=torch.empty_like(x))
    return at_least_zero.mul_(2).sub_(1)


def channel_magnitude(weight: Tensor) -> Tensor:
    """mean|w| of each filter, the same on every machine, as float64 of shape [M].

    A floating-point sum depends on its order, and the order on memory format, vector width and
    threads. Here every magnitude is first rounded to a multiple of 2^-40 of its filter's largest
    power of two; sums of such multiples are integers, and integers add the same in any order.

    Args:
        weight: float32 latent weights [M, ...], fewer than 2^22 values a filter.
    """
    magnitude = weight.detach().to(torch.float64).abs().flatten(1)
    largest = magnitude.amax(dim=1, keepdim=True)
    # |w| = mantissa * 2^e, so the quotient is the power of two itself, exactly.
    power = torch.where(largest > 0, largest / torch.frexp(largest).mantissa, 1.0)
    steps = torch.round(magnitude / power * 2.0**40).to(torch.int64)
    return steps.sum(dim=1).to(torch.float64) / magnitude.shape[1] / 2.0**40 * power.squeeze(1)


def weight_scale(weight: Tensor) -> Tensor:
    """The scale of a binarised filter, mean|w|, rounded once to float32: [M].

    It minimises ||w - scale * sign(w)|| (Rastegari et al., XNOR-Net, 2016, eq. 6).
    """
    return channel_magnitude(weight).to(torch.float32)


def ternary_threshold(weight: Tensor) -> Tensor:
    """The d of each filter, 0.5 mean|w|, rounded once to float32: [M]."""
    return (TERNARY_THRESHOLD_RATIO * channel_magnitude(weight)).to(torch.float32)


def binary_plane(weight: Tensor) -> Tensor:
    """The bit plane of binary weights: bool of ``weight``'s shape, True for +1."""
    return weight >= 0


def ternary_planes(weight: Tensor) -> tuple[Tensor, Tensor]:
    """The two bit planes sign(w - d) and sign(w + d) of ternary weights, True for +1.

    The ternary weight is their mean: +1 from ``w = d`` upwards, 0 from ``w = -d`` upwards, else
    -1. ``w - d >= 0`` is the same as ``w >= d`` in IEEE arithmetic with denormals, so no
    difference is rounded.
    """
    threshold = ternary_threshold(weight).view(-1, *[1] * (weight.dim() - 1))
    return weight >= threshold, weight >= -threshold


class _SignActivation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return signs(x)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors  # type: ignore[attr-defined]
        slope: Tensor = x.abs().clamp_(max=1).mul_(-2).add_(2)
        return slope.mul_(gradient)


class _BinaryWeight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, weight: Tensor) -> Tensor:
        return binary_plane(weight).to(weight.dtype).mul_(2).sub_(1)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        return gradient


class _TernaryWeight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, weight: Tensor) -> Tensor:
        upper, lower = ternary_planes(weight)
        return upper.to(weight.dtype) + lower.to(weight.dtype) - 1.0

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        return gradient


def sign_activation(x: Tensor) -> Tensor:
    """Signs of activations, with ReActNet's polynomial straight-through estimator.

    The gradient is that of a piecewise quadratic fit to the sign, ``max(0, 2 - 2|x|)`` (Liu et
    al., Bi-Real Net, 2018, eq. 7).
    """
    return _SignActivation.apply(x)  # type: ignore[no-any-return, no-untyped-call]


def binary_weight(weight: Tensor) -> Tensor:
    """Latent weights as -1 and +1; the straight-through estimator passes gradients unchanged."""
    return _BinaryWeight.apply(weight)  # type: ignore[no-any-return, no-untyped-call]


def ternary_weight(weight: Tensor) -> Tensor:
    """Latent weights as -1, 0 and +1 (1.58 bits); the gradient is passed unchanged.

    A dual-binary weight is the mean of two signs of one latent weight; the straight-through
    estimator is the mean of theirs, which is the identity again.
    """
    return _TernaryWeight.apply(weight)  # type: ignore[no-any-return, no-untyped-call]
