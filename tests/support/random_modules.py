"""Random networks of layers of ours and of others, each made again from its seed.

A network is a sequence of steps on one map. A step is a function of the number of channels and the
size of the map; it draws its settings from a generator of its own, so that leaving one step out of
a failing network leaves the others what they are.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bdnet.layers import (
    BinaryConv2d,
    BinaryLinear,
    RPReLU,
    Shortcut,
    SignConv2d,
    TernaryConv2d,
    TernaryLinear,
)
from bdnet.units import SeparableBlock, SignUnit
from support.by_hand import ACTIVATIONS, Parts, UnitByHand

GROUPS = 4
MOST_CHANNELS = 48


@dataclass(frozen=True)
class Step:
    """What is done to a map, and the seed of its settings."""

    kind: str
    seed: int


@dataclass(frozen=True)
class Plan:
    """A network: channels and size of its input, and its steps."""

    channels: int
    height: int
    width: int
    steps: tuple[Step, ...]

    @property
    def input_shape(self) -> tuple[int, int, int]:
        return self.channels, self.height, self.width

    def without(self, index: int) -> Plan:
        steps = self.steps[:index] + self.steps[index + 1 :]
        return Plan(self.channels, self.height, self.width, steps)


class Composed(nn.Module):
    """The steps one after the other, and a float classifier."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        steps, x = [], torch.zeros(2, *plan.input_shape)
        for step in plan.steps:
            part = KINDS[step.kind](random.Random(step.seed), x.shape[1], x.shape[2], x.shape[3])
            steps.append(part)
            with torch.no_grad():
                x = part(x)
        self.steps = nn.Sequential(*steps)
        self.classifier = nn.Linear(x.shape[1], 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.steps(x).mean((2, 3)))  # type: ignore[no-any-return]


def draw(seed: int) -> Plan:
    """The plan of a seed: four times a float convolution, a layer of ours, and a step of any kind.

    The convolutions keep binary regions apart, so a network has about four of them.
    """
    rng = random.Random(seed)
    ours = [kind for kind in KINDS if kind not in ("float", "gate", "pool", "upsample")]
    steps = []
    for _ in range(GROUPS):
        for kinds in (["float"], ours, list(KINDS)):
            steps.append(Step(rng.choice(kinds), rng.randrange(2**32)))
    size = (rng.randint(5, 20), rng.randint(5, 20))
    return Plan(rng.randint(1, 12), *size, tuple(steps))


def train(model: nn.Module, plan: Plan, seed: int) -> nn.Module:
    """A few steps of training, so that no statistic and no parameter is the trivial one."""
    torch.manual_seed(seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    model.train()
    for _ in range(3):
        loss = F.cross_entropy(model(torch.randn(6, *plan.input_shape)), torch.arange(6) % 5)
        optimizer.zero_grad()
        loss.backward()
        # Twelve layers, some without normalisation: what diverges proves nothing.
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model.eval()


def _groups(rng: random.Random, channels: int, filters: int) -> int:
    common = [g for g in range(1, channels + 1) if channels % g == 0 and filters % g == 0]
    return rng.choice(common)


def _convolution(
    rng: random.Random, channels: int, filters: int, height: int, width: int, *, same: bool
) -> SignConv2d:
    """A convolution of signs that fits the map; ``same``: its output is ceil(H / stride)."""
    kind = rng.choice([BinaryConv2d, TernaryConv2d])
    stride = (rng.randint(1, 3), rng.randint(1, 3)) if min(height, width) > 3 else (1, 1)
    if same:
        kernel = (rng.choice([1, 3, 5]), rng.choice([1, 3, 5]))
        dilation = (rng.randint(1, 2), rng.randint(1, 2))
        half = [d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True)]
        padding: tuple[int, ...] = (half[0], half[1], half[0], half[1])
    else:
        kernel = (rng.randint(1, min(5, height)), rng.randint(1, min(5, width)))
        dilation = (1, 1)
        padding = tuple(rng.randint(0, 2) for _ in range(4))
    return kind(
        channels,
        filters,
        kernel,
        stride,
        padding,
        dilation,
        _groups(rng, channels, filters),
        pad_value=rng.choice([0, 1, -1]),
        learned_shift=rng.random() < 0.5,
        scale=rng.random() < 0.7,
        bias=rng.random() < 0.3,
    )


def _filters(rng: random.Random, channels: int, least: int = 1) -> int:
    return rng.randint(least, max(least, min(MOST_CHANNELS, 2 * channels + 3)))


def _unit(rng: random.Random, c: int, h: int, w: int) -> nn.Module:
    residual = rng.choice(["pre_bn", "post_bn", "none"])
    with_residual = residual != "none"
    filters = _filters(rng, c, c if with_residual else 1)
    conv = _convolution(rng, c, filters, h, w, same=with_residual)
    return SignUnit(conv, residual, rng.choice(["rprelu", "prelu", "relu", "none"]))


def _block(rng: random.Random, c: int, h: int, w: int) -> nn.Module:
    kind = rng.choice([BinaryConv2d, TernaryConv2d])
    stride = rng.randint(1, 2)
    depthwise = SignUnit(
        kind(c, c, 3, stride, 1, groups=c, learned_shift=rng.random() < 0.5),
        rng.choice(["pre_bn", "post_bn", "none"]),
    )
    return SeparableBlock(
        depthwise, SignUnit(rng.choice([BinaryConv2d, TernaryConv2d])(c, _filters(rng, c, c), 1))
    )


def _pair(rng: random.Random, c: int, h: int, w: int) -> nn.Module:
    """A depth-wise unit and a point-wise one in no block, each a `SignUnit` or by hand.

    Some nearly are what is fused: with something between the two, with a stride or groups in the
    second one, with several filters for a channel in the first one.
    """
    miss = rng.choice(["none"] * 4 + ["between", "stride", "groups", "filters"])
    hidden = 2 * c if miss == "filters" else c
    filters = _filters(rng, hidden, hidden)
    stride = rng.randint(1, 2)
    residual = "none" if miss in ("filters", "stride") else None
    second: dict[str, Any] = {"stride": 2} if miss == "stride" else {}
    if miss == "groups":
        second["groups"] = _groups(rng, hidden, filters)
    parts: list[nn.Module] = [
        _lone(rng, c, hidden, 3, residual, {"groups": c, "stride": stride}),
        _lone(rng, hidden, filters, 1, residual, second),
    ]
    if miss == "between":
        parts.insert(1, rng.choice([nn.Hardtanh(), nn.LeakyReLU(), nn.MaxPool2d(1)]))
    return nn.Sequential(*parts)


def _lone(
    rng: random.Random, c: int, m: int, kernel: int, residual: str | None, conv: dict[str, Any]
) -> nn.Module:
    residual = residual or rng.choice(["pre_bn", "post_bn", "none"])
    kind = rng.choice([BinaryConv2d, TernaryConv2d])
    conv = {
        "pad_value": rng.choice([-1, 0, 1]),
        "learned_shift": rng.random() < 0.5,
        "scale": rng.random() < 0.7,
        "bias": rng.random() < 0.2,
        **conv,
    }
    if rng.random() < 0.5:
        made = kind(c, m, kernel, padding=kernel // 2, **conv)
        return SignUnit(made, residual, rng.choice(["rprelu", "prelu", "relu", "none"]))
    activation, first = rng.choice(list(ACTIVATIONS)), rng.random() < 0.5
    parts = Parts(residual, activation, rng.random() < 0.7, first, kind, conv)
    return UnitByHand(parts, c, m, kernel)


class _ByHand(nn.Module):
    """A convolution of signs, a sum, normalisation and activation as a user writes them."""

    def __init__(self, rng: random.Random, c: int, h: int, w: int) -> None:
        super().__init__()
        self.conv = BinaryConv2d(c, c, 3, 1, 1, pad_value=rng.choice([-1, 0, 1]))
        self.bn = nn.BatchNorm2d(c)
        self.act = rng.choice([nn.ReLU(), nn.PReLU(c), nn.Hardtanh(), RPReLU(c), nn.LeakyReLU()])
        self.first = rng.random() < 0.5

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn(self.conv(x) + x) if self.first else self.bn(self.conv(x)) + x
        return self.act(y)  # type: ignore[no-any-return]


class _Twice(nn.Module):
    """One unit used twice."""

    def __init__(self, rng: random.Random, c: int, h: int, w: int) -> None:
        super().__init__()
        self.unit = SignUnit(TernaryConv2d(c, c, 3, 1, 1, groups=_groups(rng, c, c)))

    def forward(self, x: Tensor) -> Tensor:
        return self.unit(self.unit(x) * 0.5)  # type: ignore[no-any-return]


class _Branches(nn.Module):
    """Two branches, concatenated, added or the greater of both; one of them may be of float."""

    def __init__(self, rng: random.Random, c: int, h: int, w: int) -> None:
        super().__init__()
        self.left = SignUnit(BinaryConv2d(c, c, 3, 1, 1))
        is_float = rng.random() < 0.5
        self.right = nn.Conv2d(c, c, 3, 1, 1) if is_float else SignUnit(TernaryConv2d(c, c, 1))
        joins: list[Callable[[Tensor, Tensor], Tensor]] = [torch.add, torch.maximum, _concatenate]
        self.join = rng.choice(joins if 2 * c <= MOST_CHANNELS else joins[:2])

    def forward(self, x: Tensor) -> Tensor:
        return self.join(self.left(x), self.right(x))


def _concatenate(a: Tensor, b: Tensor) -> Tensor:
    return torch.cat([a, b], 1)


class _Linear(nn.Module):
    """A linear layer of signs over the channels of each pixel."""

    def __init__(self, rng: random.Random, c: int, h: int, w: int) -> None:
        super().__init__()
        self.linear = rng.choice([BinaryLinear, TernaryLinear])(
            c,
            _filters(rng, c),
            rng.random() < 0.5,
            learned_shift=rng.random() < 0.5,
            scale=rng.random() < 0.7,
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear(x.permute(0, 2, 3, 1))
        return y.permute(0, 3, 1, 2)


class _Gate(nn.Module):
    def __init__(self, rng: random.Random, c: int, h: int, w: int) -> None:
        super().__init__()
        self.linear = nn.Linear(c, c)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.linear(x.mean((2, 3))))[:, :, None, None]


def _pool(rng: random.Random, c: int, h: int, w: int) -> nn.Module:
    kernel = rng.randint(1, min(3, h, w))
    return rng.choice([nn.MaxPool2d, nn.AvgPool2d])(kernel, rng.randint(1, kernel))


def _upsample(rng: random.Random, c: int, h: int, w: int) -> nn.Module:
    if max(h, w) > 24:
        return nn.Identity()
    mode = rng.choice(["nearest", "bilinear"])
    return nn.Upsample(scale_factor=2, mode=mode)


def _float(rng: random.Random, c: int, h: int, w: int) -> nn.Module:
    conv = nn.Conv2d(c, _filters(rng, c, 4), 3, 1, 1, bias=rng.random() < 0.5)
    return nn.Sequential(conv, nn.BatchNorm2d(conv.out_channels), nn.ReLU())


Make = Callable[[random.Random, int, int, int], nn.Module]
KINDS: dict[str, Make] = {
    "unit": _unit,
    "block": _block,
    "pair": _pair,
    "by hand": _ByHand,
    "twice": _Twice,
    "branches": _Branches,
    "linear": _Linear,
    "shortcut": lambda rng, c, h, w: Shortcut(c, _filters(rng, c, c), rng.randint(1, 2)),
    "gate": _Gate,
    "pool": _pool,
    "upsample": _upsample,
    "float": _float,
}
