"""Every setting of every layer, from training step to exact export, many layers to an export."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor, nn

import bdnet_export
import bdnet_runtime
from bdnet.deployment import deploy_module
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
from support.operator_cases import assert_equal

SEED = 20262
CONVOLUTIONS = 72
LINEAR_LAYERS = 24
INPUT = (2, 40, 13, 12)


@dataclass(frozen=True)
class Exhibit:
    """A layer and the part of the input that it reads, of a linear layer its rows' last part."""

    layer: nn.Module
    channels: int
    height: int
    width: int

    def run(self, layer: nn.Module, x: Tensor) -> Tensor:
        """What ``layer``, which stands for this one, makes of its part."""
        part = x[:, : self.channels, : self.height, : self.width]
        if isinstance(self.layer, SignLinear):
            part = part.flatten(2).permute(0, 2, 1)
        y: Tensor = layer(part)
        return y


class Gallery(nn.Module):
    """Layers side by side."""

    def __init__(self, exhibits: Sequence[Exhibit]) -> None:
        super().__init__()
        self.exhibits = exhibits
        self.layers = nn.ModuleList(exhibit.layer for exhibit in exhibits)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        # By path: the deployment form has other layers there.
        parts = zip(self.exhibits, self.layers, strict=True)
        return tuple(exhibit.run(layer, x) for exhibit, layer in parts)


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


def check_from_training_to_file(exhibits: list[Exhibit], path: Path) -> None:
    trained = Gallery(exhibits)
    train(trained)
    x = torch.randn(INPUT, generator=torch.Generator().manual_seed(SEED + 1))
    x[0, :, 0, :3] = torch.tensor([0.0, -0.0, 1e-45])
    with torch.no_grad():
        expected = deploy_module(trained)(x)
        for exhibit, want, got in zip(exhibits, trained(x), expected, strict=True):
            # A residual or a shift may be rounded otherwise; a sign that turns is rare.
            close = torch.isclose(want, got, rtol=1e-4, atol=1e-4)
            assert close.float().mean() > 0.97, f"{exhibit}: {want} {got}"
    bdnet_export.export(trained, path, input_shape=[INPUT[1:]])
    for use_library in (True, False):
        session = bdnet_runtime.create_session(path, use_library=use_library)
        outputs = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        for exhibit, want, result in zip(exhibits, expected, outputs, strict=True):
            assert_equal(want.numpy(), result, f"{exhibit}, library={use_library}")


def test_every_setting_of_every_layer(tmp_path: Path) -> None:
    print("seed", SEED)
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    exhibits = exhibits_of_convolutions(rng, CONVOLUTIONS)
    exhibits += exhibits_of_linear_layers(rng, LINEAR_LAYERS)
    check_from_training_to_file(exhibits, tmp_path / "gallery.onnx")
