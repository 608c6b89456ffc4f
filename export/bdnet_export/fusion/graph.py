"""What the rules ask of a graph."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir


def attributes_of(value: ir.Value) -> dict[str, Any]:
    """The attributes of the node that computes ``value``: numbers and lists of numbers."""
    node = value.producer()
    assert node is not None, f"{value.name} is computed by no node"
    return {
        name: list(attribute.value) if isinstance(attribute.value, tuple) else attribute.value
        for name, attribute in node.attributes.items()
    }


def is_constant(value: ir.Value) -> bool:
    """Whether ``value`` stands in the file as an initialiser, which no caller can replace."""
    return value.is_initializer() and not value.is_graph_input()


def length(value: ir.Value, axis: int) -> int | None:
    """The length of ``value`` along ``axis``, None where it is not known."""
    if value.shape is None or not -len(value.shape) <= axis < len(value.shape):
        return None
    size = value.shape[axis]
    return size if isinstance(size, int) else None


def numbers(value: ir.Value | None) -> list[float] | None:
    """The numbers in ``value``, where they are known: a Constant, cast or reshaped.

    torch.onnx writes a Python number in several such nodes.
    """
    if value is None:
        return None
    if value.const_value is not None:
        return [float(x) for x in value.const_value.numpy().flat]
    node = value.producer()
    if node is not None and node.domain == "" and node.op_type in ("Cast", "Reshape"):
        return numbers(node.inputs[0])
    return None
