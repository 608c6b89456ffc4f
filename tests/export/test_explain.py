"""Why a layer is not fused: every reason that can be given, by a network that gives it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import bdnet_export
import bdnet_runtime
from bdnet.deployment import deploy_module
from bdnet.layers import BinaryConv2d, BinaryLinear, Shortcut, TernaryConv2d
from bdnet.units import SignUnit, Stem
from bdnet_export import ExportResult
from support.by_hand import Parts, UnitByHand
from support.networks import TINY_SHAPE, tiny_network, unsettle
from support.operator_cases import assert_equal

C = 6


def depthwise(channels: int = C, filters: int = C, kernel: int = 3, **more: Any) -> SignUnit:
    residual = more.pop("residual", "none")
    options = {"padding": kernel // 2, "groups": channels} | more
    return SignUnit(BinaryConv2d(channels, filters, kernel, **options), residual, "relu")


def pointwise(channels: int = C, filters: int = C, kernel: int = 1, **more: Any) -> SignUnit:
    residual = more.pop("residual", "none")
    return SignUnit(TernaryConv2d(channels, filters, kernel, **more), residual, "prelu")


class Also(nn.Module):
    """A pair whose depth-wise result is needed a second time, as ``use`` says."""

    def __init__(self, use: str) -> None:
        super().__init__()
        self.a, self.b, self.use = depthwise(), pointwise(), use
        self.other = pointwise() if use == "layer" else nn.Identity()

    def forward(self, x: Tensor) -> Any:
        t = self.a(x)
        if self.use == "output":
            return self.b(t), t
        if self.use == "layer":
            return self.b(t) + self.other(t)
        return self.b(t), torch.abs(t)


class Sum(nn.Module):
    """A sum with another branch between the two units, or inside the first one."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.other = depthwise(), pointwise(), pointwise()

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.a(x) + self.other(x))  # type: ignore[no-any-return]


class Spread(nn.Module):
    """A residual that repeats one pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AdaptiveMaxPool2d(1)
        self.a, self.b = BinaryConv2d(C, C, 1, 1, 1, groups=C), pointwise()

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(x)
        return self.b(self.a(x) + x)  # type: ignore[no-any-return]


class OnePixel(nn.Module):
    """On a map of one pixel, where a shortcut need not average, or may average one."""

    def __init__(self, *, first: bool) -> None:
        super().__init__()
        self.pool, self.first = nn.AdaptiveMaxPool2d(1), first
        self.a = BinaryConv2d(C, C, 3, 2 if first else 1, 1, groups=C)
        self.b = BinaryConv2d(C, C, 1)
        self.window = Shortcut(C, C, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(x)
        y = self.a(x)
        if self.first:
            return self.b(y + x)  # type: ignore[no-any-return]
        return self.b(y) + self.window(y)  # type: ignore[no-any-return]


class Pixels(nn.Module):
    """A linear layer of signs on each pixel."""

    def __init__(self, **more: Any) -> None:
        super().__init__()
        self.a, self.linear = depthwise(), BinaryLinear(C, 4, **more)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.a(x).permute(0, 2, 3, 1))  # type: ignore[no-any-return]


def by_hand(**options: Any) -> nn.Module:
    """A depth-wise unit by hand, with a bias in front of its normalisation."""
    conv = {"groups": C, "bias": True, **options}
    return nn.Sequential(UnitByHand(Parts("none", "none", conv=conv), C, C, 3), pointwise())


MISSES: list[tuple[str, Any, str, str]] = [
    ("dense", lambda: BinaryConv2d(C, 4, 3), "", "a 3 x 3 convolution over all channels has no"),
    ("first", pointwise, "", "in front of this one stands an input of the network"),
    (
        "points",
        lambda: nn.Sequential(depthwise(), pointwise(), pointwise()),
        ".2",
        "in front of this one stands points.1, which is point-wise",
    ),
    (
        "sigmoid",
        lambda: nn.Sequential(nn.Sigmoid(), pointwise()),
        ".1",
        "in front of this one stands Sigmoid in sigmoid.0",
    ),
    (
        "groups",
        lambda: nn.Sequential(depthwise(groups=3), pointwise()),
        ".0",
        "groups of 2 channels: the fused operator is of a depth-wise unit, whose groups are of one",
    ),
    (
        "filters",
        lambda: nn.Sequential(depthwise(C, 2 * C), pointwise(2 * C)),
        ".0",
        "it has 12 filters for 6 channels",
    ),
    (
        "channel",
        lambda: nn.Sequential(pointwise(C, 1), depthwise(1, 1), pointwise(1)),
        ".1",
        "it reads 1 channel, and the fused operator takes 2 to 16383",
    ),
    (
        "wide",
        lambda: nn.Sequential(pointwise(C, 16384), depthwise(16384, 16384, 1), pointwise(16384, 2)),
        ".1",
        "it reads 16384 channels, and the fused operator takes 2 to 16383",
    ),
    (
        "taps",
        lambda: nn.Sequential(depthwise(kernel=13), pointwise()),
        ".0",
        "its kernel has 169 taps, and that of the fused operator up to 127; take a smaller kernel",
    ),
    ("alone", depthwise, "", "its result is an output of the network"),
    ("output", lambda: Also("output"), ".a", "output.a, which would be inside the fused operator"),
    ("layers", lambda: Also("layer"), ".a", "its result is read by layers.b and layers.other"),
    (
        "reader",
        lambda: Also("abs"),
        ".a",
        "which would be inside the fused operator, is read by Abs in reader as well",
    ),
    (
        "between",
        lambda: nn.Sequential(depthwise(), nn.Hardtanh(), pointwise()),
        ".0",
        "Clip in between.1 stands behind it, which is no step of a fused operator; it has a",
    ),
    ("linear", Pixels, ".a", "linear.linear stands behind it, which is no step of a fused"),
    ("linear", Pixels, ".linear", "it is a linear layer of signs"),
    (
        "shifted",
        lambda: Pixels(learned_shift=True),
        ".a",
        "shifted.linear stands behind it, which is no step of a fused operator",
    ),
    ("sum", Sum, ".a", "Add in sum adds what is no shortcut of a fused operator"),
    (
        "fewer",
        lambda: nn.Sequential(depthwise(), pointwise(C, 4, residual="pre_bn")),
        ".0",
        "fewer.1 behind it: Add in fewer.1 adds what is no shortcut of a fused operator",
    ),
    ("spread", Spread, ".a", "its shortcut has another shape, so that adding it repeats values"),
    ("strided", lambda: OnePixel(first=True), ".a", "its shortcut does not average over its str"),
    ("pixels", lambda: OnePixel(first=False), ".a", "of the point-wise unit behind it averages"),
    ("bias", by_hand, ".0.conv", "its convolution has a bias in front of the steps behind it"),
    (
        "norms",
        lambda: nn.Sequential(depthwise(), nn.BatchNorm2d(C), pointwise()),
        ".0",
        "Mul in norms.1 stands behind it where the steps of a fused operator are over",
    ),
    (
        "deep",
        lambda: nn.Sequential(depthwise(), depthwise(), pointwise()),
        ".0",
        "deep.1 behind it is depth-wise, and the fused operator's second unit is point-wise",
    ),
    (
        "grouped",
        lambda: nn.Sequential(depthwise(), pointwise(groups=2)),
        ".0",
        "grouped.1 behind it is of 2 groups",
    ),
    ("big", lambda: nn.Sequential(depthwise(), pointwise(kernel=3)), ".0", "has a 3 x 3 kernel"),
    (
        "stride",
        lambda: nn.Sequential(depthwise(), pointwise(stride=2)),
        ".0",
        "stride.1 behind it has a stride; give the stride to the depth-wise unit",
    ),
    (
        "padded",
        lambda: nn.Sequential(depthwise(), pointwise(padding=1)),
        ".0",
        "padded.1 behind it is padded; leave its padding out",
    ),
    (
        "padded",
        lambda: nn.Sequential(depthwise(), pointwise(padding=1)),
        ".1",
        "padded.0, in front of it, is not fused with it: see there",
    ),
    (
        "stem",
        lambda: nn.Sequential(pointwise(), Stem(C, 4)),
        ".1",
        "in NHWC, and the fused operator reads an image in NCHW",
    ),
]


class Misses(nn.Module):
    """Each near miss reads the input for itself."""

    def __init__(self) -> None:
        super().__init__()
        self.names = list(dict.fromkeys(name for name, *_ in MISSES))
        for name, build, *_ in MISSES:
            setattr(self, name, build())
        self.stems = nn.ModuleList([Stem(C, 3), Stem(C, 4)])

    def forward(self, x: Tensor) -> list[Any]:
        results = [getattr(self, name)(x) for name in self.names]
        return [*results, *(stem(x) for stem in self.stems)]


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(0)
    return unsettle(Misses(), 1)


@pytest.fixture(scope="module")
def result(model: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> ExportResult:
    path = tmp_path_factory.mktemp("explain") / "m.onnx"
    return bdnet_export.export(model, path, input_shape=(C, 7, 8))


@pytest.mark.parametrize(
    ("name", "layer", "words"),
    [(name, layer, words) for name, _, layer, words in MISSES],
    ids=[name + layer for name, _, layer, _ in MISSES],
)
def test_the_reason_is_given(name: str, layer: str, words: str, result: ExportResult) -> None:
    (row,) = (row for row in result.layers if row.layer == name + layer)
    assert row.fused_into is None
    assert row.reason is not None
    assert words in row.reason


def test_two_stems_share_a_transposition(result: ExportResult) -> None:
    reasons = {row.layer: row.reason for row in result.layers}
    assert "its image is read in NHWC by" in (reasons["stems.0"] or "")


def test_what_is_not_fused_is_right(model: nn.Module, result: ExportResult) -> None:
    x = np.random.default_rng(0).standard_normal((2, C, 7, 8)).astype(np.float32)
    with torch.no_grad():
        values = deploy_module(model)(torch.from_numpy(x))
    flat = [v for value in values for v in (value if isinstance(value, tuple) else [value])]
    got = bdnet_runtime.create_session(result.path).run(None, {"x": x})
    for want, found in zip(flat, got, strict=True):
        assert_equal(want.numpy(), found, "output")


class Between(nn.Module):
    """A pair, a float convolution and a gate, and a unit behind them."""

    def __init__(self) -> None:
        super().__init__()
        self.pair = nn.Sequential(depthwise(), pointwise())
        self.conv = nn.Conv2d(C, C, 1)
        self.last, self.head = pointwise(), nn.Linear(C, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(self.pair(x))
        y = self.last(y * torch.sigmoid(y.mean((2, 3), keepdim=True)))
        return self.head(y.mean((2, 3)))  # type: ignore[no-any-return]


def test_float_layers_between_regions_and_no_fusion(tmp_path: Path) -> None:
    model = unsettle(Between(), 0)
    options: dict[str, Any] = {"input_shape": (C, 5, 5), "fuse": False}
    result = bdnet_export.export(model, tmp_path / "m.onnx", **options)
    rows = {row.layer: row for row in result.layers}
    assert list(rows) == ["pair.0", "pair.1", "conv", "forward", "last"]
    for name in ("pair.0", "pair.1"):
        assert rows[name].fused_into is None
        assert rows[name].reason == (
            "--no-fuse keeps it apart; without that it is fused into SeparableBlock"
        )
    assert rows["conv"].operators == ("Conv",)
    assert (rows["conv"].reason or "").startswith("Conv rounds in ways of the library's own, so a")
    assert rows["forward"].operators == ("ReduceMean", "Sigmoid")
    assert "stands Mul" in (rows["last"].reason or "")


def test_a_network_is_explained_too(tmp_path: Path) -> None:
    result = bdnet_export.export(tiny_network(), tmp_path / "m.onnx", input_shape=TINY_SHAPE)
    assert {row.layer: row.fused_into for row in result.layers} == {
        "stem": "stem/OrderedStem",
        **{
            f"body.{block}.{unit}": f"body.{block}/SeparableBlock"
            for block in (0, 1)
            for unit in ("depthwise", "pointwise")
        },
    }
