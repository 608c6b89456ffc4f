"""What an inference costs, layer by layer, by the accounting of the literature.

- FLOPs: multiply-adds of float convolutions and classifiers; a multiply with its add counts as
  one, as in Bi-Real Net and ReActNet. Padding counts like any other tap.
- BOPs: multiply-adds of signs. A ternary convolution is two binary ones and counts twice.
- OPs = FLOPs + BOPs / 64 (Liu et al., Bi-Real Net, 2018, section 4.3).
- Elementwise operations are listed, and are no part of OPs by convention: shift, scale, residual
  addition, batch normalisation (2 an element), activation (PReLU 1, RPReLU 3), bias (none in a
  `SignUnit`, whose normalisation takes it in), pooling over pixels or channels (an addition for
  each input, a multiplication for each output). Taking a sign is free.
- Bytes are those of the deployment form: ceil(kh * kw * C / 8) for each filter and plane, and 4
  for each float constant, a batch normalisation having two a channel.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bdnet.errors import InputError
from bdnet.layers import (
    FloatConv2d,
    RPReLU,
    Shortcut,
    SignConv2d,
    SignLinear,
    TernaryConv2d,
)
from bdnet.models.bireal import DownsamplingUnit
from bdnet.models.mobilenet_v2 import InvertedResidual
from bdnet.packing import packed_bytes
from bdnet.units import Head, SignUnit

BINARY_OPS_PER_FLOP = 64


@dataclass(frozen=True)
class Row:
    """One layer's cost for one image.

    Args:
        name: path of the module in the network.
        output_shape: without the batch.
        flops, bops, elementwise: operations, as the module's docstring counts them.
        parameters: learned numbers.
        bytes: size in the deployment form.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    flops: int = 0
    bops: int = 0
    elementwise: int = 0
    parameters: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class OpCount:
    """A network's cost, a row for each layer as they finish; ``print`` it for a table."""

    rows: tuple[Row, ...]

    @property
    def flops(self) -> int:
        return sum(row.flops for row in self.rows)

    @property
    def bops(self) -> int:
        return sum(row.bops for row in self.rows)

    @property
    def elementwise(self) -> int:
        return sum(row.elementwise for row in self.rows)

    @property
    def parameters(self) -> int:
        return sum(row.parameters for row in self.rows)

    @property
    def bytes(self) -> int:
        return sum(row.bytes for row in self.rows)

    @property
    def ops(self) -> float:
        """FLOPs + BOPs / 64."""
        return self.flops + self.bops / BINARY_OPS_PER_FLOP

    def __str__(self) -> str:
        columns = [field.name for field in fields(Row)]
        numbers = columns[3:]
        lines = [columns]
        for row in self.rows:
            shape = "x".join(map(str, row.output_shape))
            counts = [f"{getattr(row, name):,}" for name in numbers]
            lines.append([row.name, row.kind, shape, *counts])
        lines.append(["total", "", "", *(f"{getattr(self, name):,}" for name in numbers)])
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = [
            "  ".join(
                cell.ljust(width) if i < 3 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        return "\n".join([*text, f"OPs = flops + bops / 64 = {self.ops / 1e6:,.2f} M"])


def count_ops(model: nn.Module, input_shape: tuple[int, int, int]) -> OpCount:
    """Counts what ``model`` does for one image, by running it once.

    Counted are the layers of ``bdnet``, ``nn.Conv2d``, ``nn.Linear``, batch normalisation,
    activations and pooling modules. What a module of another kind computes with functions, such
    as an addition in its ``forward``, is not seen. A layer that runs twice is two rows, and its
    parameters and bytes stand in the first.

    Args:
        model: any module that takes float32 [1, C, H, W]; left as it is.
        input_shape: (C, H, W) of the image.

    Raises:
        InputError: a layer has parameters and none of the rules above fits it, or the network
            cannot run on such an image.
    """
    rows: list[Row] = []
    hooks = []
    modes = {module: module.training for module in model.modules()}
    in_units = {unit.conv for unit in model.modules() if isinstance(unit, SignUnit)}
    device = next((tensor.device for tensor in model.parameters()), None)
    try:
        for name, module in model.named_modules():
            rule = (
                _unit_conv
                if module in in_units and not isinstance(module, FloatConv2d)
                else _rule(module)
            )
            if rule is not None:
                hooks.append(module.register_forward_hook(partial(_record, rows, name, rule)))
            elif next(module.parameters(recurse=False), None) is not None:
                raise InputError(
                    f"{name or 'the model'} is a {type(module).__name__}, which count_ops has no "
                    "rule for; it counts bdnet's layers, Conv2d, Linear, BatchNorm, activations "
                    "and pooling"
                )
        model.eval()
        with torch.no_grad():
            model(torch.zeros(1, *input_shape, device=device))
    except RuntimeError as error:
        raise InputError(
            f"the network cannot run on an image of shape {list(input_shape)}: "
            f"{' '.join(str(error).split())}"
        ) from None
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes.items():
            module.training = training
    return OpCount(tuple(rows))


@dataclass(frozen=True)
class _Cost:
    """What a rule says of a layer; the rest of its `Row` is the same for every kind.

    Args:
        suffix: what the layer does beside its submodules, for the end of the row's name.
        output_shape: where it is not that of the module's output.
        bytes: where they are not 4 a parameter.
    """

    kind: str
    flops: int = 0
    bops: int = 0
    elementwise: int = 0
    bytes: int | None = None
    suffix: str = ""
    output_shape: tuple[int, ...] | None = None


_Rule = Callable[[Any, Tensor, Tensor], _Cost | None]
"""From a module, its input and its output (batch 1) to its cost, or None if it does nothing."""


def _record(
    rows: list[Row], name: str, rule: _Rule, module: nn.Module, args: Any, output: Tensor
) -> None:
    cost = rule(module, args[0], output)
    if cost is None:
        return
    name += cost.suffix
    first = all(row.name != name for row in rows)
    parameters = sum(p.numel() for p in module.parameters(recurse=False))
    rows.append(
        Row(
            name=name,
            kind=cost.kind,
            output_shape=tuple(cost.output_shape or output.shape[1:]),
            flops=cost.flops,
            bops=cost.bops,
            elementwise=cost.elementwise,
            parameters=parameters if first else 0,
            bytes=(4 * parameters if cost.bytes is None else cost.bytes) if first else 0,
        )
    )


def _taps(conv: nn.Conv2d | SignConv2d) -> int:
    """Values of one filter."""
    kh, kw = conv.kernel_size
    return kh * kw * conv.in_channels // conv.groups


def _unit_conv(conv: SignConv2d, x: Tensor, y: Tensor) -> _Cost:
    """Of a convolution in a unit, where a bias costs nothing."""
    planes = 2 if isinstance(conv, TernaryConv2d) else 1
    shift, scale = conv.shift is not None, conv.scale
    constants = conv.in_channels * shift + conv.out_channels * scale
    filter_bytes = packed_bytes(conv.kernel_size, conv.in_channels // conv.groups)
    return _Cost(
        f"{conv.kind} convolution",
        bops=planes * y.numel() * _taps(conv),
        elementwise=x.numel() * shift + y.numel() * scale,
        bytes=planes * conv.out_channels * filter_bytes + 4 * constants,
    )


def _sign_conv(conv: SignConv2d, x: Tensor, y: Tensor) -> _Cost:
    cost = _unit_conv(conv, x, y)
    if conv.bias is None:
        return cost
    assert cost.bytes is not None
    return replace(
        cost, elementwise=cost.elementwise + y.numel(), bytes=cost.bytes + 4 * conv.out_channels
    )


def _sign_linear(linear: SignLinear, x: Tensor, y: Tensor) -> _Cost:
    planes = 2 if linear.kind == "ternary" else 1
    bias = linear.bias is not None
    constants = linear.in_features * (linear.shift is not None)
    constants += linear.out_features * (linear.scale + bias)
    filter_bytes = packed_bytes((1, 1), linear.in_features)
    return _Cost(
        f"{linear.kind} linear",
        bops=planes * y.numel() * linear.in_features,
        elementwise=x.numel() * (linear.shift is not None) + y.numel() * (linear.scale + bias),
        bytes=planes * linear.out_features * filter_bytes + 4 * constants,
    )


def _float_conv(conv: nn.Conv2d, x: Tensor, y: Tensor) -> _Cost:
    bias = y.numel() * (conv.bias is not None)
    return _Cost("float convolution", flops=y.numel() * _taps(conv), elementwise=bias)


def _twin_conv(conv: FloatConv2d, x: Tensor, y: Tensor) -> _Cost:
    shift, bias = x.numel() * (conv.shift is not None), y.numel() * (conv.bias is not None)
    return _Cost("float convolution", flops=y.numel() * _taps(conv), elementwise=shift + bias)


def _linear(linear: nn.Linear, x: Tensor, y: Tensor) -> _Cost:
    bias = y.numel() * (linear.bias is not None)
    return _Cost("classifier", flops=y.numel() * linear.in_features, elementwise=bias)


def _batch_norm(bn: _BatchNorm, x: Tensor, y: Tensor) -> _Cost:
    return _Cost("batch normalisation", elementwise=2 * y.numel(), bytes=4 * 2 * bn.num_features)


def _rprelu(activation: RPReLU, x: Tensor, y: Tensor) -> _Cost:
    return _Cost("activation", elementwise=3 * y.numel())


def _activation(activation: nn.Module, x: Tensor, y: Tensor) -> _Cost:
    return _Cost("activation", elementwise=y.numel())


def _pool(pool: nn.Module, x: Tensor, y: Tensor) -> _Cost:
    return _Cost("pooling", elementwise=x.numel() + y.numel())


def _shortcut(shortcut: Shortcut, x: Tensor, y: Tensor) -> _Cost | None:
    pooled = (shortcut.in_channels, *y.shape[2:])
    strided, averaged = shortcut.stride != (1, 1), shortcut.out_channels < shortcut.in_channels
    if not strided and not averaged:
        return None
    pixels = x.numel() + math.prod(pooled) if strided else 0
    channels = math.prod(pooled) + y.numel() if averaged else 0
    # Repeated channels cost nothing and are not shown.
    shown = tuple(y.shape[1:]) if averaged else pooled
    return _Cost("pooling", elementwise=pixels + channels, output_shape=shown)


def _addition(y: Tensor) -> _Cost:
    return _Cost("addition", elementwise=y.numel(), suffix=".residual")


def _unit(unit: SignUnit, x: Tensor, y: Tensor) -> _Cost | None:
    return None if unit.shortcut is None else _addition(y)


def _inverted_residual(block: InvertedResidual, x: Tensor, y: Tensor) -> _Cost | None:
    return _addition(y) if block.skip else None


def _downsampling(unit: DownsamplingUnit, x: Tensor, y: Tensor) -> _Cost:
    return _addition(y)


def _head(head: Head, x: Tensor, y: Tensor) -> _Cost:
    channels = x.shape[1]
    return _Cost(
        "pooling", elementwise=x.numel() + channels, suffix=".pool", output_shape=(channels,)
    )


_RULES: list[tuple[type[nn.Module] | tuple[type[nn.Module], ...], _Rule]] = [
    (FloatConv2d, _twin_conv),
    (SignConv2d, _sign_conv),
    (SignLinear, _sign_linear),
    (nn.Conv2d, _float_conv),
    (nn.Linear, _linear),
    (_BatchNorm, _batch_norm),
    (RPReLU, _rprelu),
    ((nn.PReLU, nn.ReLU, nn.ReLU6, nn.Hardtanh), _activation),
    ((nn.AvgPool2d, nn.MaxPool2d, nn.AdaptiveAvgPool2d), _pool),
    (Shortcut, _shortcut),
    (SignUnit, _unit),
    (InvertedResidual, _inverted_residual),
    (DownsamplingUnit, _downsampling),
    (Head, _head),
]


def _rule(module: nn.Module) -> _Rule | None:
    return next((rule for kind, rule in _RULES if isinstance(module, kind)), None)
