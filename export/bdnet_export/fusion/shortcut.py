"""The shortcut of a residual, as it is traced: from what a unit reads to what the residual adds."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from bdnet_export.fusion.graph import attributes_of, is_operator, is_ours, numbers, operand

_CHANNELS = 3
"""The axis of the channels."""


@dataclass(frozen=True)
class Shortcut:
    """What `bdnet.deployment.DeployedShortcut` computes, without averages over channels.

    Args:
        window: pixels averaged, vertically and horizontally.
        repeats: whether the channels are repeated up to those of the sum.
        nodes: that compute it; none where the unit's input itself is added.
    """

    window: list[int]
    repeats: bool
    nodes: tuple[ir.Node, ...]


def read_shortcut(value: ir.Value, x: ir.Value) -> Shortcut | None:
    """The shortcut that makes ``value`` of ``x``, None where it is none that a fused operator has.

    The first channels of ``x`` repeated, behind averages over windows side by side, each step there
    or not. That the number of channels is right is for the caller to see.
    """
    nodes: list[ir.Node] = []
    node = value.producer()
    if value is not x and node is not None and is_operator(node, "Slice"):
        start, _, axis, step = (numbers(limit) for limit in node.inputs[1:])
        if (start, axis, step) != ([0], [_CHANNELS], [1]):
            return None
        nodes.append(node)
        value = operand(node, 0)
        node = value.producer()
        if node is None or not is_operator(node, "Concat"):
            return None
    repeats = False
    if value is not x and node is not None and is_operator(node, "Concat"):
        axis_of = attributes_of(node).get("axis")
        if axis_of not in (_CHANNELS, -1) or len(set(node.inputs)) != 1:
            return None
        nodes.append(node)
        value, repeats = operand(node, 0), True
        node = value.producer()
    window = [1, 1]
    if value is not x and node is not None and is_ours(node, "OrderedAveragePool"):
        nodes.append(node)
        window, value = attributes_of(node)["kernel_shape"], operand(node, 0)
    return Shortcut(window, repeats, tuple(nodes)) if value is x else None
