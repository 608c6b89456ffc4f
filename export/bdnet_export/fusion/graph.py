"""What the rules ask of a graph."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir

from bdnet_export.layout import is_transpose
from bdnet_export.opset import DOMAIN

SIGN_CONVOLUTIONS = ("BinaryConv", "TernaryConv")
SIGN_LINEARS = ("BinaryLinear", "TernaryLinear")


class NotFusedError(Exception):
    """A part that a rule does not take, and why: one sentence, what to change where there is some.

    Args:
        second: the convolution that would have been the fused operator's second one, where known.
    """

    def __init__(self, reason: str, second: ir.Node | None = None) -> None:
        super().__init__(reason)
        self.reason, self.second = reason, second


def is_operator(node: ir.Node | None, *names: str) -> bool:
    """Whether ``node`` is one of ``names`` of the standard operators."""
    return node is not None and node.domain == "" and node.op_type in names


def is_ours(node: ir.Node | None, *names: str) -> bool:
    """Whether ``node`` is one of ``names`` of ``ai.bdnet``."""
    return node is not None and node.domain == DOMAIN and node.op_type in names


def attributes_of(node: ir.Node) -> dict[str, Any]:
    """The attributes of a node: numbers and lists of numbers."""
    return {
        name: list(attribute.value) if isinstance(attribute.value, tuple) else attribute.value
        for name, attribute in node.attributes.items()
    }


def operand(node: ir.Node, place: int) -> ir.Value:
    """An input that the operator cannot do without."""
    value = node.inputs[place]
    assert value is not None, f"{node.name} lacks input {place}"
    return value


def other_operand(node: ir.Node, value: ir.Value) -> ir.Value:
    """What an operator of two operands takes besides ``value``."""
    first, second = operand(node, 0), operand(node, 1)
    return second if first is value else first


def is_constant(value: ir.Value) -> bool:
    """Whether ``value`` stands in the file as an initialiser, which no caller can replace."""
    return value.is_initializer() and not value.is_graph_input()


def is_channel_constant(value: ir.Value, channels: int | None) -> bool:
    """Whether ``value`` is a constant with one number for each of ``channels``, or one for all."""
    return is_constant(value) and value.shape is not None and value.shape in ([channels], [1])


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
    constant = ir.convenience.get_const_tensor(value)
    if constant is not None:
        return [float(x) for x in constant.numpy().flat]
    node = value.producer()
    if node is not None and is_operator(node, "Cast", "Reshape"):
        return numbers(node.inputs[0])
    return None


def uses(value: ir.Value) -> list[ir.Node]:
    """The nodes that read ``value``, each once."""
    return list(dict.fromkeys(node for node, _ in value.uses()))


def readers(value: ir.Value) -> list[ir.Node]:
    """The nodes that read ``value`` in either layout, each once."""
    found: list[ir.Node] = []
    for node in uses(value):
        found += readers(node.outputs[0]) if is_transpose(node) else [node]
    return list(dict.fromkeys(found))


def is_output(value: ir.Value) -> bool:
    """Whether the network returns ``value``, in either layout."""
    return value.is_graph_output() or any(
        is_transpose(node) and is_output(node.outputs[0]) for node in uses(value)
    )


def layer_of(node: ir.Node) -> str:
    """The path of the layer whose weights an operator of ours reads; empty for the network itself.

    The name of a constant is its path in the network: ``body.0.depthwise.conv.weight``.
    """
    path = str(operand(node, 1).name).rpartition(".")[0]
    return path.rpartition(".")[0] if is_ours(node, *SIGN_CONVOLUTIONS) else path


def shift_of(node: ir.Node) -> ir.Node | None:
    """The addition of a layer's learned shift in front of its sign, where it has one.

    Any addition of a constant in front of a sign might be one, such as the last step of the unit
    before. The name of the constant tells: the layer that holds the weights holds the shift.
    """
    add = operand(node, 0).producer()
    if add is None or not is_operator(add, "Add"):
        return None
    own = f"{layer_of(node)}.shift".lstrip(".")
    named = [value for value in add.inputs if value is not None and value.name == own]
    return add if named and is_constant(named[0]) else None


def is_shift(add: ir.Node) -> bool:
    """Whether an addition is the learned shift of a layer behind it."""
    operators = (*SIGN_CONVOLUTIONS, *SIGN_LINEARS)
    return any(is_ours(n, *operators) and shift_of(n) is add for n in uses(add.outputs[0]))


def describe(node: ir.Node) -> str:
    """A node in a sentence: a layer of ours by its path, another by operator and module."""
    if is_ours(node, *SIGN_CONVOLUTIONS, *SIGN_LINEARS):
        return layer_of(node) or "the network"
    path = str(node.name).rpartition("/")[0]
    return node.op_type if path in ("", "graph") else f"{node.op_type} in {path}"
