"""Quantisers: which bit every special value gets, their gradients, an order-free mean."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from bdnet.quantize import (
    binary_plane,
    binary_weight,
    channel_magnitude,
    sign_activation,
    signs,
    ternary_planes,
    ternary_threshold,
    ternary_weight,
    weight_scale,
)

TINY = 1e-45  # the smallest denormal of float32
SPECIAL = torch.tensor([0.0, -0.0, TINY, -TINY, math.inf, -math.inf, math.nan, -math.nan])
SPECIAL_SIGNS = [1.0, 1.0, 1.0, -1.0, 1.0, -1.0, -1.0, -1.0]


@pytest.mark.parametrize("quantize", [signs, sign_activation, binary_weight])
def test_signs_of_special_values(quantize: object) -> None:
    assert callable(quantize)
    assert quantize(SPECIAL).tolist() == SPECIAL_SIGNS


def test_plane_is_where_the_weight_is_plus_one() -> None:
    assert binary_plane(SPECIAL).tolist() == [sign > 0 for sign in SPECIAL_SIGNS]


def test_signs_leave_their_input_alone() -> None:
    x = torch.randn(3, 4, requires_grad=True)
    before = x.detach().clone()
    assert not signs(x).requires_grad
    assert torch.equal(x, before)


def test_a_weight_at_its_own_threshold() -> None:
    """|w| = (1, 1, 4, 2) / 2 has mean 1 and d = 0.5, so two weights lie exactly at +-d."""
    weight = torch.tensor([[0.5, -0.5, 2.0, -1.0]])
    assert ternary_threshold(weight).tolist() == [0.5]
    assert ternary_weight(weight).tolist() == [[1.0, 0.0, 1.0, -1.0]]


def test_all_zero_filter() -> None:
    weight = torch.tensor([[0.0, -0.0, 0.0]])
    assert weight_scale(weight).tolist() == [0.0]
    assert ternary_weight(weight).tolist() == [[1.0, 1.0, 1.0]]


def test_ternary_weight_is_the_mean_of_its_planes() -> None:
    weight = torch.randn(16, 3, 3, 3, generator=torch.Generator().manual_seed(1))
    upper, lower = ternary_planes(weight)
    mean = (upper.float() * 2 - 1 + lower.float() * 2 - 1) / 2
    assert torch.equal(ternary_weight(weight), mean)
    assert set(mean.unique().tolist()) == {-1.0, 0.0, 1.0}


def test_gradient_of_the_sign_activation() -> None:
    x = torch.tensor([-2.0, -1.0, -0.75, -0.0, 0.0, 0.25, 1.0, 3.0], requires_grad=True)
    gradient = torch.arange(1.0, 9.0)
    sign_activation(x).backward(gradient)
    expected = [0.0, 0.0, 3 * 0.5, 4 * 2.0, 5 * 2.0, 6 * 1.5, 0.0, 0.0]
    assert x.grad is not None
    assert x.grad.tolist() == expected


@pytest.mark.parametrize("quantize", [binary_weight, ternary_weight])
def test_gradient_passes_through_to_the_latent_weight(quantize: object) -> None:
    assert callable(quantize)
    weight = torch.randn(4, 2, 3, 3, requires_grad=True)
    gradient = torch.randn(4, 2, 3, 3)
    quantize(weight).backward(gradient)
    assert weight.grad is not None
    assert torch.equal(weight.grad, gradient)


def _filters(seed: int) -> Tensor:
    """Filters whose magnitudes span many powers of two, where a float sum's order would show."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(32, 64, 3, 3, generator=generator)
    return weight * torch.exp2(torch.randint(-12, 12, weight.shape, generator=generator))


@pytest.mark.parametrize("seed", range(3))
def test_magnitude_does_not_depend_on_order_layout_or_threads(seed: int) -> None:
    weight = _filters(seed)
    expected = channel_magnitude(weight)
    order = torch.randperm(64 * 9, generator=torch.Generator().manual_seed(seed))
    shuffled = weight.flatten(1)[:, order].reshape(weight.shape)
    assert torch.equal(channel_magnitude(shuffled), expected)
    assert torch.equal(
        channel_magnitude(weight.contiguous(memory_format=torch.channels_last)), expected
    )
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1 if threads > 1 else 2)
        assert torch.equal(channel_magnitude(weight), expected)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("seed", range(3))
def test_magnitude_is_the_mean(seed: int) -> None:
    weight = _filters(seed)
    exact = [math.fsum(map(abs, row)) / len(row) for row in weight.flatten(1).double().tolist()]
    assert torch.equal(weight_scale(weight), torch.tensor(exact, dtype=torch.float64).float())
