"""What a depth-wise unit and the point-wise unit behind it must be for SeparableBlock.

Each check raises `NotFusedError` with a sentence that is shown to the user: what there is, and what
to change. The limits are those of runtime/include/bdnet/separable_block.h.
"""

from __future__ import annotations

from math import prod
from typing import Any, NoReturn

import onnx_ir as ir

from bdnet.packing import PACKING_VERSION
from bdnet_export.fusion.graph import (
    SIGN_CONVOLUTIONS,
    SIGN_LINEARS,
    NotFusedError,
    attributes_of,
    describe,
    is_constant,
    is_ours,
    layer_of,
    length,
    operand,
)
from bdnet_export.fusion.unit import Unit, read_unit
from bdnet_export.layout import is_transpose

_CHANNELS = range(2, 16384)
_MOST_TAPS = 127


def require_depthwise(conv: ir.Node) -> None:
    if is_ours(conv, *SIGN_LINEARS):
        raise NotFusedError(
            "it is a linear layer of signs, and the fused operator is of two convolutions"
        )
    if not is_ours(conv, *SIGN_CONVOLUTIONS):
        raise NotFusedError(f"{conv.op_type} is no convolution of signs")
    found = attributes_of(conv)
    group, each = found["group"], found["channels"]
    filters, taps = length(operand(conv, 1), -2), prod(found["kernel_shape"])
    if group * each == 1:
        raise NotFusedError(
            f"it reads 1 channel, and the fused operator takes {_CHANNELS[0]} to {_CHANNELS[-1]}"
        )
    if each > 1:
        _refuse_sum_over_channels(conv, found, taps, each)
    if filters != group:
        raise NotFusedError(
            f"it has {filters} filters for {group} channels, and the fused operator's depth-wise "
            "unit has one for each channel; let the point-wise unit behind it make more of them"
        )
    if group not in _CHANNELS:
        raise NotFusedError(
            f"it reads {group} channels, and the fused operator takes {_CHANNELS[0]} to "
            f"{_CHANNELS[-1]}"
        )
    if taps > _MOST_TAPS:
        raise NotFusedError(
            f"its kernel has {taps} taps, and that of the fused operator up to {_MOST_TAPS}; take "
            "a smaller kernel, dilated where it is to reach as far"
        )
    _require_packing(conv)


def _refuse_sum_over_channels(
    conv: ir.Node, found: dict[str, Any], taps: int, each: int
) -> NoReturn:
    """Says what a convolution over channels is, which no first unit of a pair is."""
    if found["group"] > 1:
        raise NotFusedError(
            f"groups of {each} channels: the fused operator is of a depth-wise unit, whose groups "
            "are of one channel (groups=in_channels)"
        )
    if taps > 1:
        height, width = found["kernel_shape"]
        raise NotFusedError(
            f"a {height} x {width} convolution over all channels has no fused operator; a "
            "depth-wise unit and a point-wise unit behind it have one"
        )
    front = _in_front(conv)
    if front is not None and attributes_of(front)["channels"] == 1:
        raise NotFusedError(f"{layer_of(front)}, in front of it, is not fused with it: see there")
    raise NotFusedError(
        "a point-wise unit is fused with a depth-wise unit in front of it, and in front of this "
        f"one stands {_source(conv) if front is None else _kind(front)}"
    )


def _in_front(conv: ir.Node) -> ir.Node | None:
    """The convolution of signs whose unit makes what ``conv`` reads, None where none does."""
    x = read_unit(conv).x
    seen: set[ir.Node] = set()
    pending = [x.producer()]
    while pending:
        node = pending.pop(0)
        if node is None or node in seen:
            continue
        if is_ours(node, *SIGN_CONVOLUTIONS):
            return node if read_unit(node).y is x else None
        seen.add(node)
        pending += [value.producer() for value in node.inputs if value is not None]
    return None


def _kind(conv: ir.Node) -> str:
    """A convolution that is not depth-wise, in a sentence."""
    found = attributes_of(conv)
    height, width = found["kernel_shape"]
    if found["group"] > 1:
        return f"{describe(conv)}, which is of {found['group']} groups"
    if height * width == 1:
        return f"{describe(conv)}, which is point-wise"
    return f"{describe(conv)}, a {height} x {width} convolution over all channels"


def _source(conv: ir.Node) -> str:
    """What makes the input of a convolution, where no unit does, in a sentence."""
    x = read_unit(conv).x
    node = x.producer()
    while node is not None and is_transpose(node):
        node = operand(node, 0).producer()
    return "an input of the network" if node is None else describe(node)


def require_pointwise(conv: ir.Node) -> None:
    found, name = attributes_of(conv), layer_of(conv)
    if found["group"] > 1:
        what = "depth-wise" if found["channels"] == 1 else f"of {found['group']} groups"
        raise NotFusedError(
            f"{name} behind it is {what}, and the fused operator's second unit is point-wise"
        )
    if found["kernel_shape"] != [1, 1]:
        height, width = found["kernel_shape"]
        raise NotFusedError(
            f"{name} behind it has a {height} x {width} kernel, and the fused operator's second "
            "unit is point-wise"
        )
    if found["strides"] != [1, 1]:
        raise NotFusedError(
            f"{name} behind it has a stride; give the stride to the depth-wise unit"
        )
    if found["pads"] != [0, 0, 0, 0]:
        raise NotFusedError(f"{name} behind it is padded; leave its padding out")
    _require_packing(conv)


def _require_packing(conv: ir.Node) -> None:
    if attributes_of(conv)["packing_version"] != PACKING_VERSION:
        raise NotFusedError("its weights are packed otherwise")
    if not is_constant(operand(conv, 1)):
        raise NotFusedError("its weights are no constant of the file")


def require_shortcuts(depthwise: Unit, pointwise: Unit) -> None:
    across = depthwise.shortcut
    if across is not None and (across.repeats or across.window != depthwise.attributes["strides"]):
        raise NotFusedError("its shortcut does not average over its strides")
    across = pointwise.shortcut
    if across is not None and across.window != [1, 1]:
        raise NotFusedError("the shortcut of the point-wise unit behind it averages pixels")
