"""From bdnet's PyTorch operators to nodes of ``ai.bdnet``: torch.onnx's translation table.

Each translation writes one bare node. An onnxscript function given here would be inlined on every
export; the bodies are attached to the finished model instead (exporter.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from onnxscript import opset18

import bdnet.operators  # noqa: F401  registers torch.ops.bdnet
import bdnet_export.schemas  # noqa: F401  nodes of ai.bdnet can be written once it has schemas
from bdnet.packing import PACKING_VERSION
from bdnet_export.opset import ai_bdnet


def _sign_conv(operator: str) -> Callable[..., Any]:
    """The translation to BinaryConv or TernaryConv, which take the same arguments."""

    def translate(
        x: Any,
        weight: Any,
        kernel_shape: Sequence[int],
        channels: int,
        strides: Sequence[int],
        pads: Sequence[int],
        dilations: Sequence[int],
        group: int,
        pad_value: int,
    ) -> Any:
        return getattr(ai_bdnet, operator)(
            x,
            weight,
            kernel_shape=kernel_shape,
            channels=channels,
            strides=strides,
            pads=pads,
            dilations=dilations,
            group=group,
            pad_value=pad_value,
            packing_version=PACKING_VERSION,
        )

    return translate


def _sign_linear(operator: str) -> Callable[..., Any]:
    """The translation to BinaryLinear or TernaryLinear."""

    def translate(x: Any, weight: Any, channels: int) -> Any:
        return getattr(ai_bdnet, operator)(
            x, weight, channels=channels, packing_version=PACKING_VERSION
        )

    return translate


def _ordered_conv(
    x: Any, weight: Any, strides: Sequence[int], pads: Sequence[int], dilations: Sequence[int]
) -> Any:
    return ai_bdnet.OrderedConv(x, weight, strides=strides, pads=pads, dilations=dilations)


def _ordered_average_pool(x: Any, kernel_shape: Sequence[int]) -> Any:
    return ai_bdnet.OrderedAveragePool(x, kernel_shape=kernel_shape)


def _channel_prelu(x: Any, slope: Any) -> Any:
    # As in SeparableBlock's body, and for its reasons: no PRelu (opset.py).
    negative = opset18.Less(x, opset18.Constant(value_float=0.0))
    return opset18.Mul(x, opset18.Where(negative, slope, opset18.Constant(value_float=1.0)))


def translation_table() -> dict[Callable[..., Any], Callable[..., Any]]:
    """What torch.onnx.export takes as ``custom_translation_table``."""
    operators = torch.ops.bdnet
    return {
        operators.binary_conv.default: _sign_conv("BinaryConv"),
        operators.ternary_conv.default: _sign_conv("TernaryConv"),
        operators.binary_linear.default: _sign_linear("BinaryLinear"),
        operators.ternary_linear.default: _sign_linear("TernaryLinear"),
        operators.ordered_conv.default: _ordered_conv,
        operators.ordered_average_pool.default: _ordered_average_pool,
        operators.channel_prelu.default: _channel_prelu,
    }
