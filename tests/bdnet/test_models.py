"""Networks: rebuilt from their configuration, of the right shapes, clear about what cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bdnet import BDMobileNetV1, BDMobileNetV2, BiRealNet18, InputError, ReActNetA
from bdnet.layers import SignConv2d
from bdnet.models import NETWORKS
from bdnet.models.bireal import DownsamplingUnit
from bdnet.models.mobilenet_v2 import InvertedResidual
from bdnet.models.reactnet import ReActBlock
from support.networks import SMALL, SMALL_SHAPE, small_network, unsettle

CONFIGS: list[dict[str, Any]] = [
    {"width": 0.25, "num_classes": 10, "in_channels": 1, "stem_stride": 1},
    {
        "width": 0.25,
        "depthwise": "binary",
        "pointwise": "ternary",
        "residual": "post_bn",
        "activation": "prelu",
        "learned_shift": False,
        "strides": [1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
    },
    {"width": 0.1, "residual": "none", "activation": "none"},
]


@pytest.fixture
def one_thread() -> Iterator[None]:
    """The tensors are too small to share, and other work would hold two threads up."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", NETWORKS)
def test_a_gradient_reaches_every_parameter(name: str) -> None:
    model = small_network(name, seed=3).train()
    images = torch.randn(10, *SMALL_SHAPE, generator=torch.Generator().manual_seed(0))
    loss = F.cross_entropy(model(images), torch.arange(10))
    assert bool(torch.isfinite(loss))
    loss.backward()
    for path, parameter in model.named_parameters():
        assert parameter.grad is not None, path
        assert bool(torch.isfinite(parameter.grad).all()), path
        assert bool(parameter.grad.any()), f"no gradient reaches {path}"


# What BDMobileNetV1 learns is seen in test_train.py.
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", ["BDMobileNetV2", "ReActNetA", "BiRealNet18"])
def test_it_learns_ten_pictures(name: str) -> None:
    """Each has a bright stripe of three rows whose place is its class, and noise."""
    model = small_network(name).train()
    images = torch.randn(10, *SMALL_SHAPE, generator=torch.Generator().manual_seed(0))
    images += 2 * torch.eye(10).repeat_interleave(3, 1)[:, :28].view(10, 1, 28, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(20):
        loss = F.cross_entropy(model(images), torch.arange(10))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-3:]) / 3 < 0.75 * losses[0]


@pytest.mark.parametrize("size", [(28, 28), (32, 32), (29, 17)])
@pytest.mark.parametrize("name", NETWORKS)
def test_any_image_size(name: str, size: tuple[int, int]) -> None:
    model = small_network(name).eval()
    with torch.no_grad():
        assert model(torch.zeros(2, 1, *size)).shape == (2, 10)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_has_its_configuration(name: str) -> None:
    first = small_network(name)
    second = NETWORKS[name](**first.config)
    assert second.config == first.config
    assert SMALL[name].keys() <= first.config.keys()
    second.load_state_dict(first.state_dict())
    image = torch.randn(1, *SMALL_SHAPE)
    assert torch.equal(first.eval()(image), second.eval()(image))


def _conv(conv: SignConv2d, x: Tensor) -> Tensor:
    """A binary convolution by its formula: signs of activations and weights, mean|w|."""
    weight = conv.weight
    scale = weight.abs().mean((1, 2, 3), keepdim=True)
    ones = torch.where(weight >= 0, scale, -scale)
    bits = torch.where(x >= 0, 1.0, -1.0)
    return F.conv2d(bits, ones, stride=conv.stride, padding=conv.padding[:2], groups=conv.groups)


def _rprelu(activation: Any, x: Tensor) -> Tensor:
    def channels(name: str) -> Tensor:
        tensor: Tensor = getattr(activation, name).view(1, -1, 1, 1)
        return tensor

    moved = x + channels("shift_in")
    return torch.where(moved >= 0, moved, channels("slope") * moved) + channels("shift_out")


def test_a_block_of_react_net_is_the_paper_s() -> None:
    """Figure 3 of the paper, right: the one that halves the image and doubles the channels."""
    block = unsettle(ReActBlock(8, 2, stride=2), seed=0)
    x = torch.randn(2, 8, 6, 6)

    def unit(unit: Any, x: Tensor, shortcut: Tensor) -> Tensor:
        y = _conv(unit.conv, x + unit.conv.shift.view(1, -1, 1, 1))
        return _rprelu(unit.activation, unit.bn(y) + shortcut)

    middle = unit(block.spatial, x, F.avg_pool2d(x, 2))
    left, right = (unit(u, middle, middle) for u in block.pointwise)
    torch.testing.assert_close(block(x), torch.cat([left, right], 1), rtol=1e-4, atol=1e-4)


def test_a_unit_of_bi_real_net_is_the_paper_s() -> None:
    """Sign, convolution, BN, then the shortcut; downsampling: average, float 1x1, BN."""
    body = unsettle(BiRealNet18(width=0.125), seed=0).body
    plain, downsampling = body[1], body[4]  # type: ignore[index]
    x = torch.randn(2, 8, 6, 6)
    torch.testing.assert_close(plain(x), plain.bn(_conv(plain.conv, x)) + x, rtol=1e-4, atol=1e-4)
    assert isinstance(downsampling, DownsamplingUnit)
    _, conv, bn = downsampling.downsample
    unit = downsampling.unit
    shortcut = bn(F.conv2d(F.avg_pool2d(x, 2), conv.weight))
    expected = unit.bn(_conv(unit.conv, x)) + shortcut
    torch.testing.assert_close(downsampling(x), expected, rtol=1e-4, atol=1e-4)


def test_broadcast_residuals_go_around_every_unit() -> None:
    """A block whose convolutions give nothing is its shortcuts and normalisations alone."""
    model = unsettle(small_network("BDMobileNetV2"), seed=0)
    (block,) = (m for name, m in model.named_modules() if name == "body.3")
    assert isinstance(block, InvertedResidual)
    expand, depthwise, project = block.expand, block.depthwise, block.project
    assert expand is not None
    for unit in (expand, depthwise, project):
        nn.init.zeros_(unit.conv.weight)  # so mean|w| is 0
        unit.activation = nn.Identity()
    c, hidden, m = 8, 48, 16
    x = torch.randn(2, c, 6, 6)
    y = expand.bn(x[:, [j % c for j in range(hidden)]])
    y = depthwise.bn(F.avg_pool2d(y, 2))
    mean = torch.stack([y[:, j::m].mean(1) for j in range(m)], 1)
    torch.testing.assert_close(block(x), project.bn(mean))


def test_residuals_around_blocks_are_those_of_mobilenet_v2() -> None:
    """Sandler et al., figure 4d: where the stride is 1 and the channels stay."""
    blocks = [m for m in BDMobileNetV2().modules() if isinstance(m, InvertedResidual)]
    assert len(blocks) == 17
    assert [i for i, block in enumerate(blocks) if block.skip] == [2, 4, 5, 7, 8, 9, 11, 12, 14, 15]
    # At this width the first block has one too, and no expansion.
    block = next(m for m in BDMobileNetV2(width=0.25).modules() if isinstance(m, InvertedResidual))
    block = unsettle(block, seed=0)
    x = torch.randn(1, 8, 5, 5)
    assert block.expand is None
    assert torch.equal(block(x), block.project(block.depthwise(x)) + x)


@pytest.mark.parametrize("config", CONFIGS)
def test_configuration_rebuilds_the_network(config: dict[str, Any]) -> None:
    first = BDMobileNetV1(**config)
    second = BDMobileNetV1(**first.config)
    assert second.config == first.config
    second.load_state_dict(first.state_dict())
    image = torch.randn(2, first.config["in_channels"], 29, 28)
    assert torch.equal(first.eval()(image), second.eval()(image))


def test_default_shapes() -> None:
    model = BDMobileNetV1(width=0.25).eval()
    image = torch.randn(1, 3, 224, 224)
    assert model.features(image).shape == (1, 256, 7, 7)
    assert model(image).shape == (1, 1000)


def test_channels_are_multiples_of_eight() -> None:
    model = BDMobileNetV1(width=0.3)
    channels = {m.num_features for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)}
    assert channels == {8, 16, 40, 80, 152, 304}


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"depthwise": "real"}, "depthwise is 'real'; it must be 'binary', 'ternary' or 'float'"),
        ({"pointwise": "int8"}, "pointwise is 'int8'; it must be 'binary', 'ternary' or"),
        ({"residual": "preBN"}, "residual is 'preBN'; it must be"),
        ({"activation": "gelu"}, "activation is 'gelu'; it must be"),
        ({"strides": [1, 2]}, r"strides is \[1, 2\]; it must be 13 positive integers"),
        ({"strides": [0] * 13}, "it must be 13 positive integers"),
        ({"width": 0}, "must all be positive"),
        ({"num_classes": 0}, "must all be positive"),
    ],
)
def test_arguments_that_cannot_be_are_told(argument: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        BDMobileNetV1(**argument)


@pytest.mark.parametrize(
    ("network", "argument", "message"),
    [
        (BDMobileNetV2, {"strides": [2]}, r"strides is \[2\]; it must be 7 .* one a stage"),
        (BDMobileNetV2, {"repeats": [0] * 7}, "repeats is .* 7 positive integers, one a stage"),
        (BDMobileNetV2, {"pointwise": "int8"}, "pointwise is 'int8'; it must be 'binary', "),
        (BDMobileNetV2, {"width": -1}, "width -1, .* must all be positive"),
        (ReActNetA, {"strides": [1] * 12}, "13 positive integers, one a block"),
        (ReActNetA, {"stem_stride": 0}, "stem_stride 0 must all be positive"),
        (BiRealNet18, {"strides": [1] * 5}, "4 positive integers, one a stage"),
        (BiRealNet18, {"in_channels": 0}, "in_channels 0 and .* must all be positive"),
    ],
)
def test_arguments_of_the_others(network: Any, argument: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        network(**argument)
