"""Every setting of every layer, from training step to exact export, many layers to an export."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import onnx
import onnx_ir as ir
import torch
from torch import Tensor, nn

import bdnet_runtime
from bdnet.deployment import DeployedSignConv2d, DeployedSignLinear, DeployedUnit
from bdnet.layers import (
    ActivationName,
    BinaryConv2d,
    BinaryLinear,
    SignConv2d,
    SignLinear,
    TernaryConv2d,
    TernaryLinear,
)
from bdnet.units import Residual, SignUnit
from bdnet_export.bodies import operator_bodies
from bdnet_export.opset import DOMAIN, VERSION
from bdnet_export.translation import translation_table
from support.operator_cases import assert_equal

SEED = 20262
CONVOLUTIONS = 90
LINEAR_LAYERS = 30
INPUT = (2, 40, 13, 12)


@dataclass(frozen=True)
class Exhibit:
    """A layer and the part of the input that it reads, of a linear layer its rows' last part."""

    layer: nn.Module
    channels: int
    height: int
    width: int

    def input_of(self, x: Tensor, channels_last: bool) -> Tensor:
        x = x[:, : self.channels, : self.height, : self.width]
        if isinstance(self.layer, SignLinear | DeployedSignLinear):
            return x.flatten(2).permute(0, 2, 1)
        return x.permute(0, 2, 3, 1) if channels_last else x


class Gallery(nn.Module):
    """Layers side by side. Deployed convolutions are NHWC inside."""

    def __init__(self, exhibits: Sequence[Exhibit], *, deployed: bool = False) -> None:
        super().__init__()
        self.exhibits = exhibits
        self.layers = nn.ModuleList(exhibit.layer for exhibit in exhibits)
        self.deployed = deployed

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        outputs = (e.layer(e.input_of(x, self.deployed)) for e in self.exhibits)
        # Values of three dimensions are a linear layer's.
        return tuple(
            y.permute(0, 3, 1, 2) if self.deployed and y.dim() == 4 else y for y in outputs
        )


class Wheels:
    """Turns through every option of each setting, each in an order of its own.

    So that no setting is left to luck, and settings still meet in many combinations.
    """

    def __init__(self, rng: np.random.Generator, **options: Sequence[Any]) -> None:
        self._wheels = {name: self._turns(rng, values) for name, values in options.items()}

    @staticmethod
    def _turns(rng: np.random.Generator, values: Sequence[Any]) -> Iterator[Any]:
        while True:
            yield from (values[i] for i in rng.permutation(len(values)))

    def turn(self) -> dict[str, Any]:
        return {name: next(wheel) for name, wheel in self._wheels.items()}


def exhibits_of_convolutions(rng: np.random.Generator, count: int) -> list[Exhibit]:
    switch = (True, False)
    wheels = Wheels(
        rng,
        kind=(BinaryConv2d, TernaryConv2d),
        kernel_size=((1, 1), (3, 3), (5, 5), (1, 3), (5, 2), (4, 1)),
        stride=list(itertools.product((1, 2, 3), repeat=2)),
        dilation=((1, 1), (2, 2), (1, 3)),
        pad_value=(-1, 0, 1),
        # Groups; input channels and filters of each.
        grouping=[
            *((1, 1, 1), (1, 7, 5), (1, 33, 40), (1, 40, 19), (1, 13, 70), (2, 9, 11), (3, 5, 2)),
            *((5, 1, 1), (40, 1, 1), (17, 1, 3), (7, 3, 1), (11, 2, 4), (4, 10, 8)),
        ],
        learned_shift=switch,
        scale=switch,
        bias=switch,
        residual=(*get_args(Residual), None),
        activation=get_args(ActivationName),
        size=((13, 12), (7, 5), (1, 1), (4, 9)),
    )
    return [_convolution(rng, **wheels.turn()) for _ in range(count)]


def _convolution(
    rng: np.random.Generator,
    *,
    kind: type[SignConv2d],
    kernel_size: tuple[int, int],
    dilation: tuple[int, int],
    grouping: tuple[int, int, int],
    residual: Residual | None,
    activation: ActivationName,
    size: tuple[int, int],
    **settings: Any,
) -> Exhibit:
    """A unit, or without a ``residual`` of any kind the bare convolution."""
    groups, channels, filters = grouping
    around = [d * (k - 1) for d, k in zip(dilation, kernel_size, strict=True)]
    if residual in ("pre_bn", "post_bn"):
        filters = max(filters, channels)  # a shortcut drops no channels
        before = [int(rng.integers(0, a + 1)) for a in around]
        after = [a - b for a, b in zip(around, before, strict=True)]
    else:
        # Whatever leaves the kernel in the padded image.
        before = [
            int(rng.integers(max(0, a + 1 - s), a + 3)) for a, s in zip(around, size, strict=True)
        ]
        after = [int(rng.integers(0, 3)) for _ in around]
    conv = kind(
        *(groups * channels, groups * filters, kernel_size),
        padding=(before[0], before[1], after[0], after[1]),
        dilation=dilation,
        groups=groups,
        **settings,
    )
    layer = conv if residual is None else SignUnit(conv, residual, activation)
    return Exhibit(layer, groups * channels, *size)


def exhibits_of_linear_layers(rng: np.random.Generator, count: int) -> list[Exhibit]:
    switch = (True, False)
    wheels = Wheels(
        rng,
        kind=(BinaryLinear, TernaryLinear),
        in_features=(1, 7, 8, 33, 40),
        out_features=(1, 13, 64, 65),
        learned_shift=switch,
        scale=switch,
        bias=switch,
        size=((1, 1), (3, 5), (13, 12)),
    )

    def linear(*, kind: type[SignLinear], size: tuple[int, int], **settings: Any) -> Exhibit:
        return Exhibit(kind(**settings), settings["in_features"], *size)

    return [linear(**wheels.turn()) for _ in range(count)]


def train(gallery: Gallery, steps: int = 3) -> None:
    """A few steps, after which no constant is what it began as."""
    random = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for parameter in gallery.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn(parameter.shape, generator=random), alpha=0.2)
    optimizer = torch.optim.SGD(gallery.parameters(), lr=0.05)
    before = copy.deepcopy(gallery.state_dict())
    for _ in range(steps):
        outputs = gallery(torch.randn(INPUT, generator=random))
        loss = torch.stack([(y - 0.3).abs().mean() for y in outputs]).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    for name, parameter in gallery.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.isfinite().all(), name
    learned = [
        any(
            not torch.equal(p, before[f"layers.{path}.{name}"])
            for name, p in layer.named_parameters()
        )
        for path, layer in gallery.layers.named_children()
    ]
    # A kernel that falls beside a map of one pixel sees nothing but padding.
    assert np.mean(learned) > 0.9
    gallery.eval()


DEPLOYMENT: dict[type[nn.Module], Callable[[Any], nn.Module]] = {
    SignUnit: DeployedUnit,
    BinaryConv2d: DeployedSignConv2d,
    TernaryConv2d: DeployedSignConv2d,
    BinaryLinear: DeployedSignLinear,
    TernaryLinear: DeployedSignLinear,
}


def deployed(gallery: Gallery) -> Gallery:
    with torch.no_grad():
        exhibits = [
            Exhibit(DEPLOYMENT[type(e.layer)](e.layer), e.channels, e.height, e.width)
            for e in gallery.exhibits
        ]
    return Gallery(exhibits, deployed=True).eval()


def exported(gallery: Gallery) -> onnx.ModelProto:
    program = torch.onnx.export(
        gallery,
        (torch.zeros(INPUT),),
        dynamo=True,
        optimize=False,
        opset_version=18,
        custom_translation_table=translation_table(),
        input_names=["x"],
        output_names=[f"y{index}" for index in range(len(gallery.exhibits))],
        verbose=False,
    )
    assert program is not None
    program.model.functions.clear()
    program.model.opset_imports.update({DOMAIN: VERSION})
    program.model.ir_version = 10
    model = ir.serde.serialize_model(program.model)
    used = {node.op_type for node in model.graph.node if node.domain == DOMAIN}
    model.functions.extend(body for name, body in operator_bodies(18).items() if name in used)
    return model


def check_from_training_to_file(exhibits: list[Exhibit]) -> None:
    trained = Gallery(exhibits)
    train(trained)
    deployment = deployed(trained)
    x = torch.randn(INPUT, generator=torch.Generator().manual_seed(SEED + 1))
    x[0, :, 0, :3] = torch.tensor([0.0, -0.0, 1e-45])
    with torch.no_grad():
        expected = deployment(x)
        for exhibit, want, got in zip(exhibits, trained(x), expected, strict=True):
            # A residual or a shift may be rounded otherwise; a sign that turns is rare.
            close = torch.isclose(want, got, rtol=1e-4, atol=1e-4)
            assert close.float().mean() > 0.97, f"{exhibit}: {want} {got}"
    model = exported(deployment)
    for use_library in (True, False):
        session = bdnet_runtime.create_session(model.SerializeToString(), use_library=use_library)
        outputs = session.run(None, {"x": x.numpy()})
        for exhibit, want, result in zip(exhibits, expected, outputs, strict=True):
            assert_equal(want.numpy(), result, f"{exhibit}, library={use_library}")


def test_every_setting_of_every_layer() -> None:
    print("seed", SEED)
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    exhibits = exhibits_of_convolutions(rng, CONVOLUTIONS)
    check_from_training_to_file(exhibits + exhibits_of_linear_layers(rng, LINEAR_LAYERS))
