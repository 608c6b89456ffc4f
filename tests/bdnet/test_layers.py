"""Layers against an oracle of loops, and against autograd's own numerical derivatives."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from bdnet import InputError
from bdnet.deployment import DeployedShortcut
from bdnet.layers import (
    BinaryConv2d,
    BinaryLinear,
    RPReLU,
    Shortcut,
    SignConv2d,
    SignLinear,
    TernaryConv2d,
    TernaryLinear,
    make_activation,
)
from bdnet.units import SignUnit


def oracle(conv: SignConv2d, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """The convolution by its definition, one tap at a time, in float64."""
    latent = conv.weight.detach().double().numpy()
    magnitude = np.abs(latent).mean(axis=(1, 2, 3), keepdims=True)
    if conv.kind == "ternary":
        d = (magnitude / 2).astype(np.float32)
        weight = np.where(latent >= d, 1, np.where(latent >= -d, 0, -1))
    else:
        weight = np.where(latent >= 0, 1, -1)
    if conv.shift is not None:
        x = x + conv.shift.detach().numpy().reshape(1, -1, 1, 1)
    (kh, kw), (sh, sw), (top, left, bottom, right) = conv.kernel_size, conv.stride, conv.padding
    (dh, dw), groups = conv.dilation, conv.groups
    bits = np.pad(
        np.where(x >= 0, 1, -1),
        ((0, 0), (0, 0), (top, bottom), (left, right)),
        constant_values=conv.pad_value,
    )
    n, _, height, width = bits.shape
    ho, wo = (height - dh * (kh - 1) - 1) // sh + 1, (width - dw * (kw - 1) - 1) // sw + 1
    y = np.zeros((n, conv.out_channels, ho, wo))
    per_group, filters = conv.in_channels // groups, conv.out_channels // groups
    for m, i, j in itertools.product(range(conv.out_channels), range(ho), range(wo)):
        first = m // filters * per_group
        for c, ky, kx in itertools.product(range(per_group), range(kh), range(kw)):
            seen = bits[:, first + c, i * sh + ky * dh, j * sw + kx * dw]
            y[:, m, i, j] += seen * weight[m, c, ky, kx]
    if conv.scale:
        y = y * magnitude.reshape(1, -1, 1, 1)
    return y if conv.bias is None else y + conv.bias.detach().double().numpy().reshape(1, -1, 1, 1)


CASES = [
    {"in_channels": 1, "out_channels": 1, "kernel_size": 1},
    {"in_channels": 7, "out_channels": 5, "kernel_size": 1, "learned_shift": True},
    {"in_channels": 6, "out_channels": 4, "kernel_size": 3, "padding": 1, "stride": 2},
    {"in_channels": 6, "out_channels": 6, "kernel_size": 3, "padding": 1, "groups": 6},
    {"in_channels": 4, "out_channels": 8, "kernel_size": (1, 3), "groups": 2, "stride": (2, 1)},
    {"in_channels": 3, "out_channels": 2, "kernel_size": 3, "dilation": 2, "padding": (1, 2)},
    {"in_channels": 4, "out_channels": 3, "kernel_size": 3, "padding": (0, 1, 2, 0), "stride": 3},
    {"in_channels": 5, "out_channels": 3, "kernel_size": 2, "padding": (0, 0, 1, 1), "bias": True},
    # A map smaller than the kernel takes a way of its own through the layer.
    {"in_channels": 3, "out_channels": 3, "kernel_size": 9, "padding": 4, "groups": 3},
]


@pytest.mark.parametrize("pad_value", [-1, 0, 1])
@pytest.mark.parametrize("conv_class", [BinaryConv2d, TernaryConv2d])
@pytest.mark.parametrize("arguments", CASES, ids=lambda case: "-".join(map(str, case.values())))
def test_convolution(
    arguments: dict[str, object], conv_class: type[SignConv2d], pad_value: int
) -> None:
    torch.manual_seed(3)
    for scale in (False, True):
        conv = conv_class(**arguments, pad_value=pad_value, scale=scale)  # type: ignore[arg-type]
        if conv.shift is not None:
            nn.init.normal_(conv.shift)
        if conv.bias is not None:
            nn.init.normal_(conv.bias)
        x = torch.randn(2, conv.in_channels, 7, 6)
        x[0, 0, 0, :2] = torch.tensor([0.0, -0.0])
        y = conv(x).detach().numpy()
        if scale or conv.bias is not None:
            np.testing.assert_allclose(y, oracle(conv, x.numpy()), rtol=1e-6, atol=1e-6)
        else:
            np.testing.assert_array_equal(y, oracle(conv, x.numpy()))


@pytest.mark.parametrize("shape", [(7,), (3, 7), (2, 4, 5, 7)])
@pytest.mark.parametrize("linear_class", [BinaryLinear, TernaryLinear])
def test_a_linear_layer_is_a_convolution_of_one_tap(
    linear_class: type[SignLinear], shape: tuple[int, ...]
) -> None:
    """With the same values and the same gradients, for inputs of any rank."""
    torch.manual_seed(0)
    linear = linear_class(7, 5, learned_shift=True)
    conv_class = BinaryConv2d if linear_class is BinaryLinear else TernaryConv2d
    conv = conv_class(7, 5, 1, learned_shift=True, bias=True)
    for name, parameter in linear.named_parameters():
        nn.init.normal_(parameter)
        conv.get_parameter(name).data.copy_(parameter.data.view_as(conv.get_parameter(name)))
    x = torch.randn(shape)
    x.view(-1)[:2] = torch.tensor([0.0, -0.0])
    y = linear(x)
    expected = conv(x.reshape(-1, 7, 1, 1)).reshape(*shape[:-1], 5)
    assert torch.equal(y, expected)
    factor = torch.randn_like(y)
    (y * factor).sum().backward()
    (expected * factor).sum().backward()
    for name, parameter in linear.named_parameters():
        torch.testing.assert_close(parameter.grad, conv.get_parameter(name).grad.view_as(parameter))


@pytest.mark.parametrize("conv_class", [BinaryConv2d, TernaryConv2d])
def test_padding_is_padding_on_small_and_large_maps(conv_class: type[SignConv2d]) -> None:
    """The gradient, too, is the same whether the layer or the caller pads."""
    torch.manual_seed(0)
    conv = conv_class(4, 4, 3, padding=1, groups=4)
    x = torch.randn(2, 4, 2, 2)
    gradients: list[Tensor] = []
    for size in (2, 5):
        conv.weight.grad = None
        image = torch.full((2, 4, size, size), float("nan"))
        image[:, :, :2, :2] = x
        conv(image)[:, :, 0, 0].sum().backward()
        assert conv.weight.grad is not None
        gradients.append(conv.weight.grad[:, :, 1:, 1:].clone())
    assert torch.equal(*gradients)


def test_rprelu_is_its_formula_and_its_gradient() -> None:
    torch.manual_seed(1)
    layer = RPReLU(3).double()
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    x = torch.randn(2, 3, 4, 3, dtype=torch.float64, requires_grad=True)
    moved = x + layer.shift_in.view(1, 3, 1, 1)
    slope, out = layer.slope.view(1, 3, 1, 1), layer.shift_out.view(1, 3, 1, 1)
    assert torch.equal(layer(x), torch.where(moved >= 0, moved, moved * slope) + out)

    def run(x: Tensor, shift_in: Tensor, slope: Tensor, shift_out: Tensor) -> Tensor:
        replaced = {"shift_in": shift_in, "slope": slope, "shift_out": shift_out}
        result: Tensor = torch.func.functional_call(layer, replaced, (x,))
        return result

    assert torch.autograd.gradcheck(run, (x, layer.shift_in, layer.slope, layer.shift_out))


@pytest.mark.parametrize(
    ("height", "width", "stride"), [(5, 4, 2), (7, 7, 2), (7, 5, 3), (1, 1, 2)]
)
def test_shortcut_averages_what_exists(height: int, width: int, stride: int) -> None:
    x = torch.arange(float(2 * 3 * height * width)).reshape(2, 3, height, width)
    y = Shortcut(3, 3, stride)(x)
    assert y.shape == (2, 3, -(-height // stride), -(-width // stride))
    for i, j in itertools.product(range(y.shape[2]), range(y.shape[3])):
        window = x[:, :, i * stride : (i + 1) * stride, j * stride : (j + 1) * stride]
        torch.testing.assert_close(y[:, :, i, j], window.mean((2, 3)))


@pytest.mark.parametrize("out_channels", [3, 6, 7])
def test_shortcut_repeats_channels(out_channels: int) -> None:
    x = torch.randn(1, 3, 2, 2)
    y = Shortcut(3, out_channels)(x)
    assert torch.equal(y, x[:, [j % 3 for j in range(out_channels)]])


@pytest.mark.parametrize(("c", "m"), [(6, 3), (6, 1), (7, 3), (5, 4), (9, 4)])
@pytest.mark.parametrize("stride", [1, 2])
def test_shortcut_averages_channels(c: int, m: int, stride: int) -> None:
    """Training form: the mean. Deployment form: the contract's sums, one value at a time."""
    torch.manual_seed(c)
    x = torch.randn(2, c, 5, 4)
    shortcut = Shortcut(c, m, stride)
    y = shortcut(x)
    pooled = Shortcut(c, c, stride)(x)
    for j in range(m):
        torch.testing.assert_close(y[:, j], pooled[:, j::m].mean(1))
    exact = DeployedShortcut(Shortcut(c, c, stride))(x.permute(0, 2, 3, 1)).numpy()
    expected = np.zeros((*exact.shape[:3], m), np.float32)
    for index in np.ndindex(expected.shape):
        *pixel, j = index
        total = exact[(*pixel, j)]
        for i in range(j + m, c, m):
            total = np.float32(total + exact[(*pixel, i)])
        expected[index] = total / np.float32(len(range(j, c, m)))
    np.testing.assert_array_equal(DeployedShortcut(shortcut)(x.permute(0, 2, 3, 1)), expected)


def test_an_average_behind_a_repetition_is_the_identity() -> None:
    """What a broadcast residual carries through an expansion and a projection."""
    x = torch.randint(-8, 8, (1, 5, 2, 2)).float()
    assert torch.equal(Shortcut(30, 5)(Shortcut(5, 30)(x)), x)


@pytest.mark.parametrize("residual", ["pre_bn", "post_bn", "none"])
def test_unit_adds_its_shortcut_where_it_says(residual: str) -> None:
    torch.manual_seed(2)
    unit = SignUnit(BinaryConv2d(4, 8, 3, 2, 1), residual, "prelu").eval()  # type: ignore[arg-type]
    nn.init.constant_(unit.bn.bias, 0.5)
    x = torch.randn(2, 4, 5, 5)
    conv, shortcut = unit.conv(x), Shortcut(4, 8, 2)(x)
    expected = {
        "pre_bn": lambda: unit.bn(conv + shortcut),
        "post_bn": lambda: unit.bn(conv) + shortcut,
        "none": lambda: unit.bn(conv),
    }[residual]()
    assert torch.equal(unit(x), unit.activation(expected))


def test_arguments_that_cannot_be_are_told() -> None:
    with pytest.raises(InputError, match="pad_value is 2; it must be -1, 0 or"):
        BinaryConv2d(4, 4, 3, pad_value=2)
    with pytest.raises(InputError, match=r"stride is \(1, 0\); it must be positive"):
        BinaryConv2d(4, 4, 3, (1, 0))
    for padding in (-1, (1, 2, 3), (0, 0, -1, 0)):
        with pytest.raises(InputError, match="it must be a number of pixels, a pair"):
            BinaryConv2d(4, 4, 3, padding=padding)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="in_features is 0 and out_features 2; both must be"):
        BinaryLinear(0, 2)
    with pytest.raises(InputError, match=r"groups is 3; it must divide in_channels \(4\)"):
        TernaryConv2d(4, 6, 3, groups=3)
    with pytest.raises(InputError, match="activation is 'gelu'; it must be 'rprelu'"):
        make_activation("gelu", 4)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="residual is 'pre'; it must be 'pre_bn'"):
        SignUnit(BinaryConv2d(4, 4, 3), "pre")  # type: ignore[arg-type]


@pytest.mark.parametrize("residual", ["pre_bn", "post_bn"])
@pytest.mark.parametrize(
    ("arguments", "size"),
    [
        ({"kernel_size": 3}, (7, 7)),  # PyTorch would refuse to add
        ({"kernel_size": 3}, (3, 3)),  # and here repeat the one pixel that the convolution makes
        ({"kernel_size": 2, "stride": 2}, (7, 6)),
        ({"kernel_size": 3, "padding": (1, 1, 1, 0)}, (5, 5)),
    ],
)
def test_a_residual_that_does_not_fit_is_told(
    residual: str, arguments: dict[str, object], size: tuple[int, int]
) -> None:
    unit = SignUnit(BinaryConv2d(4, 4, **arguments), residual)  # type: ignore[arg-type]
    with pytest.raises(
        InputError,
        match=r"the residual of a SignUnit of BinaryConv2d\(4, 4, .*\) "
        r"does not fit: .* or use residual='none'$",
    ):
        unit(torch.zeros(2, 4, *size))
