"""The counter against published numbers and against the deployment form's own bytes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import bdnet
from bdnet import BDMobileNetV1, InputError, OpCount, count_ops
from bdnet.layers import BinaryConv2d, RPReLU, TernaryLinear
from bdnet.units import Head, SignUnit, Stem
from support.networks import TINY_SHAPE, tiny_network


@pytest.fixture(scope="module")
def mobilenet() -> OpCount:
    return count_ops(BDMobileNetV1(), (3, 224, 224))


def _bops(count: OpCount, part: str) -> int:
    return sum(row.bops for row in count.rows if f".{part}.conv" in row.name)


def test_mobilenet_v1_at_224(mobilenet: OpCount) -> None:
    """Multiply-adds of MobileNet V1; the ternary depth-wise ones count twice."""
    by_name = {row.name: row for row in mobilenet.rows}
    assert by_name["stem.conv"].flops == 10_838_016
    assert _bops(mobilenet, "depthwise") == 2 * 17_385_984
    assert _bops(mobilenet, "pointwise") == 539_492_352
    assert by_name["head.classifier"].flops == 1_024_000
    assert mobilenet.flops == 10_838_016 + 1_024_000
    assert mobilenet.ops / 1e6 == pytest.approx(20.8, abs=0.05)


def test_weights_of_both_kinds_everywhere() -> None:
    binary = count_ops(BDMobileNetV1(depthwise="binary"), (3, 224, 224))
    assert binary.ops / 1e6 == pytest.approx(20.6, abs=0.05)
    ternary = count_ops(BDMobileNetV1(pointwise="ternary"), (3, 224, 224))
    assert ternary.ops / 1e6 == pytest.approx(29.3, abs=0.05)


class ReActNetBlock(nn.Module):
    """A full 3x3 convolution, then one 1x1, or two side by side where the channels double."""

    def __init__(self, c: int, m: int, stride: int) -> None:
        super().__init__()

        def unit(kernel: int, stride: int) -> SignUnit:
            conv = BinaryConv2d(c, c, kernel, stride, kernel // 2, learned_shift=True)
            return SignUnit(conv, "post_bn")

        self.spatial = unit(3, stride)
        self.pointwise = nn.ModuleList(unit(1, 1) for _ in range(m // c))

    def forward(self, x: Tensor) -> Tensor:
        x = self.spatial(x)
        return torch.cat([unit(x) for unit in self.pointwise], 1)


def test_react_net_a() -> None:
    """Liu et al., ReActNet, 2020, table 1: BOPs 4.82e9, FLOPs 0.12e8, OPs 0.87e8."""
    channels = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
    strides = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
    blocks = [
        ReActNetBlock(c, m, s)
        for c, m, s in zip((32, *channels[:-1]), channels, strides, strict=True)
    ]
    model = nn.Sequential(Stem(3, 32), *blocks, Head(1024, 1000))
    count = count_ops(model, (3, 224, 224))
    assert round(count.bops / 1e9, 2) == 4.82
    assert round(count.flops / 1e8, 2) == 0.12
    assert round(count.ops / 1e8, 2) == 0.87


@pytest.mark.parametrize("weights", ["binary", "ternary"])
def test_bytes_and_parameters(weights: str) -> None:
    model = BDMobileNetV1(width=0.25, num_classes=7, depthwise=weights, learned_shift=False)  # type: ignore[arg-type]
    count = count_ops(model, (3, 64, 64))
    constants = bdnet.deploy(model).state_dict().values()
    assert count.bytes == sum(tensor.numel() * tensor.element_size() for tensor in constants)
    assert count.parameters == sum(parameter.numel() for parameter in model.parameters())


def test_elementwise_operations_of_a_unit() -> None:
    unit = SignUnit(BinaryConv2d(2, 4, 3, 2, 1, learned_shift=True), "pre_bn", "rprelu")
    count = count_ops(unit, (2, 5, 5))
    x, y, pooled = 2 * 5 * 5, 4 * 3 * 3, 2 * 3 * 3
    assert {row.name: row.elementwise for row in count.rows} == {
        "conv": x + y,
        "shortcut": x + pooled,
        "bn": 2 * y,
        "activation": 3 * y,
        ".residual": y,
    }


def test_a_bias_costs_nothing_in_a_unit_and_something_alone() -> None:
    conv = BinaryConv2d(2, 4, 3, bias=True)
    unit = count_ops(SignUnit(conv, "none", "none"), (2, 5, 5))
    packed, y = 4 * 3, 4 * 3 * 3
    assert [(row.elementwise, row.bytes) for row in unit.rows] == [
        (y, packed + 4 * 4),
        (2 * y, 4 * 2 * 4),
    ]
    (alone,) = count_ops(conv, (2, 5, 5)).rows
    assert (alone.elementwise, alone.bytes) == (2 * y, packed + 4 * 4 + 4 * 4)
    assert alone.parameters == unit.rows[0].parameters == 4 * 2 * 9 + 4


def test_a_linear_layer_of_signs() -> None:
    layer = TernaryLinear(9, 5, learned_shift=True)
    (row,) = count_ops(nn.Sequential(nn.Flatten(), layer), (1, 3, 3)).rows
    assert (row.kind, row.bops, row.elementwise) == ("ternary linear", 2 * 45, 9 + 2 * 5)
    constants = bdnet.deployment.DeployedSignLinear(layer).state_dict().values()
    assert row.bytes == sum(tensor.numel() * tensor.element_size() for tensor in constants)


def test_a_layer_that_runs_twice_has_its_parameters_once() -> None:
    layer = RPReLU(3)
    count = count_ops(nn.Sequential(layer, nn.Identity(), layer), (3, 2, 2))
    assert [row.elementwise for row in count.rows] == [36, 36]
    assert [row.parameters for row in count.rows] == [9, 0]
    assert count.bytes == 36


def test_the_network_is_left_as_it_was() -> None:
    model = tiny_network().train()
    model.body[0].eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    count_ops(model, TINY_SHAPE)
    assert [module.training for module in model.modules()] == modes
    assert not any(module._forward_hooks for module in model.modules())
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_table(mobilenet: OpCount) -> None:
    lines = str(mobilenet).splitlines()
    assert lines[0].split() == [
        *("name", "kind", "output_shape", "flops", "bops", "elementwise", "parameters", "bytes")
    ]
    assert len({len(line) for line in lines[:-1]}) == 1
    assert lines[-1] == "OPs = flops + bops / 64 = 20.83 M"


def test_what_cannot_be_counted_is_told() -> None:
    with pytest.raises(InputError, match="0 is a LayerNorm, which count_ops has no rule for"):
        count_ops(nn.Sequential(nn.LayerNorm(4)), (1, 4, 4))
    with pytest.raises(InputError, match=r"cannot run on an image of shape \[3, 8, 8\]"):
        count_ops(tiny_network(), (3, 8, 8))
