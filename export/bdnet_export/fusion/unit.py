"""A unit: a convolution of signs with all that follows it, as it is traced.

Rule 5 of the numerical contract is a sequence of steps, each of which a unit may lack:

    c * scale, + shortcut, * bn_mul, + bn_add, + shortcut, + shift_in, activation, + shift_out

So the steps behind a convolution are read one by one, as long as each is the next of that sequence
or a later one, and whichever module it comes from: a `SignUnit`, or a `SignConv2d` with a sum, a
batch normalisation and an activation as a user writes them. A product with a constant that stands
where the sequence has two places for it takes the first; the result is the same.

A pattern of onnxscript's cannot say this: it does not ask whether a value is a constant while it
matches, and an addition may be any of four steps, or the learned shift of the layer behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import onnx_ir as ir

from bdnet_export.fusion.graph import (
    SIGN_CONVOLUTIONS,
    attributes_of,
    describe,
    is_channel_constant,
    is_operator,
    is_ours,
    is_output,
    is_shift,
    layer_of,
    length,
    numbers,
    operand,
    other_operand,
    readers,
    shift_of,
    uses,
)
from bdnet_export.fusion.shortcut import Shortcut, read_shortcut

_PLACES = (
    ("scale", "factor"),
    ("pre_bn", "residual"),
    ("bn_mul", "factor"),
    ("bn_add", "term"),
    ("post_bn", "residual"),
    ("shift_in", "term"),
    ("slope", "activation"),
    ("shift_out", "term"),
)
"""The steps in their order, and what kind of step each is."""

_ADDS = "adds what is no shortcut"


@dataclass(frozen=True)
class _Step:
    """One step: the nodes that do it, what they put out, the constant or the shortcut in it."""

    kind: str
    nodes: tuple[ir.Node, ...]
    y: ir.Value
    constant: ir.Value | None = None
    shortcut: Shortcut | None = None


@dataclass(frozen=True)
class Unit:
    """A convolution of signs and the steps behind it that a fused operator can take.

    Args:
        conv: BinaryConv or TernaryConv.
        x: what it reads, before a learned shift; ``y``: what it puts out, both [N, H, W, C].
        constants: of the steps it has, by their names in SeparableBlock, ``weight`` and ``shift``
            among them.
        shortcut: of its residual.
        residual: as SeparableBlock's attribute: 0 none, 1 before the normalisation, 2 after it.
        rectify: whether its activation is ReLU.
        nodes: all of it.
        end: why what stands behind ``y`` is no step of it; empty where another layer of signs does.
        adds_other: whether that is a sum with what is no shortcut.
    """

    conv: ir.Node
    x: ir.Value
    y: ir.Value
    constants: Mapping[str, ir.Value]
    shortcut: Shortcut | None
    residual: int
    rectify: bool
    nodes: tuple[ir.Node, ...]
    end: str
    adds_other: bool

    @property
    def attributes(self) -> dict[str, Any]:
        """Of its convolution."""
        return attributes_of(self.conv)


def read_unit(conv: ir.Node) -> Unit:
    """The unit of a BinaryConv or TernaryConv: as many steps behind it as fit."""
    x, nodes = operand(conv, 0), [conv]
    constants = {"weight": operand(conv, 1)}
    shift = shift_of(conv)
    if shift is not None:
        nodes.append(shift)
        constant = next(v for v in shift.inputs if v is not None and str(v.name).endswith("shift"))
        x, constants["shift"] = other_operand(shift, constant), constant
    filters = length(constants["weight"], -2)
    taken: dict[str, _Step] = {}
    place, y = 0, conv.outputs[0]
    while True:
        step = _next(y, x, filters)
        if isinstance(step, str):
            end = step
            break
        free = [i for i in range(place, len(_PLACES)) if _PLACES[i][1] == step.kind]
        if not free or (step.kind == "residual" and "pre_bn" in taken):
            end = _misplaced(step, constants, conv)
            break
        taken[_PLACES[free[0]][0]] = step
        place, y = free[0] + 1, step.y
        nodes += step.nodes
        if step.constant is not None:
            constants[_PLACES[free[0]][0]] = step.constant
    if {"scale", "bn_add"} <= taken.keys() and taken.keys().isdisjoint({"bn_mul", "pre_bn"}):
        # One product before the sum of a normalisation is more likely the normalisation's.
        constants["bn_mul"] = constants.pop("scale")
    residual = 1 if "pre_bn" in taken else 2 if "post_bn" in taken else 0
    shortcut = next((s.shortcut for s in taken.values() if s.shortcut is not None), None)
    if shortcut is not None:
        nodes += shortcut.nodes
    rectify = "slope" in taken and taken["slope"].constant is None
    return Unit(conv, x, y, constants, shortcut, residual, rectify, tuple(nodes), end, _ADDS in end)


def _next(t: ir.Value, x: ir.Value, filters: int | None) -> _Step | str:
    """The step that reads ``t``, in a unit that reads ``x``, or why what does is none."""
    if is_output(t):
        return "its result is an output of the network, which stays a value of its own"
    following = uses(t)
    if len(following) == 2:
        return _activation(t, following, filters) or _several(t)
    if len(following) != 1:
        return _several(t)
    (node,) = following
    if is_operator(node, "Relu"):
        return _Step("activation", (node,), node.outputs[0])
    if is_operator(node, "Mul", "Add") and len(t.uses()) == 1:
        other = other_operand(node, t)
        if is_channel_constant(other, filters):
            if is_operator(node, "Mul"):
                return _Step("factor", (node,), node.outputs[0], other)
            return "" if is_shift(node) else _Step("term", (node,), node.outputs[0], other)
        if is_operator(node, "Add"):
            return _residual(node, t, other, x)
    if is_ours(node, *SIGN_CONVOLUTIONS):
        return ""
    return stands_behind(readers(t))


def _several(t: ir.Value) -> str:
    names = sorted({describe(node) for node in readers(t)})
    return (
        f"its result is read by {' and '.join(names)}, and a fused operator keeps to itself what "
        "is inside it"
    )


def stands_behind(following: list[ir.Node]) -> str:
    """What to say of nodes that are no step of a unit."""
    what = " and ".join(describe(node) for node in following)
    return (
        f"{what} stands behind it, which is no step of a fused operator; it has a shortcut, a "
        "batch normalisation, and ReLU, PReLU or RPReLU"
    )


def _residual(node: ir.Node, t: ir.Value, across: ir.Value, x: ir.Value) -> _Step | str:
    shortcut = read_shortcut(across, x)
    if shortcut is None:
        return (
            f"{describe(node)} {_ADDS} of a fused operator: what the unit reads, averaged over its "
            "strides or with its channels repeated"
        )
    if t.shape is None or across.shape is None or t.shape[1:] != across.shape[1:]:
        return "its shortcut has another shape, so that adding it repeats values"
    return _Step("residual", (node,), node.outputs[0], shortcut=shortcut)


def _activation(t: ir.Value, following: list[ir.Node], filters: int | None) -> _Step | None:
    """PReLU, t * Where(t < 0, slope, 1), or ReLU, Where(t < 0, 0, t)."""
    less = next((node for node in following if is_operator(node, "Less")), None)
    if less is None or operand(less, 0) is not t or numbers(less.inputs[1]) != [0]:
        return None
    last = next(node for node in following if node is not less)
    negative = uses(less.outputs[0])
    if len(negative) != 1 or not is_operator(negative[0], "Where"):
        return None
    where = negative[0]
    if operand(where, 0) is not less.outputs[0]:
        return None
    if where is last:
        fits = numbers(where.inputs[1]) == [0] and operand(where, 2) is t
        return _Step("activation", (less, where), where.outputs[0]) if fits else None
    slope = operand(where, 1)
    if (
        not is_operator(last, "Mul")
        or other_operand(last, t) is not where.outputs[0]
        or uses(where.outputs[0]) != [last]
        or not is_channel_constant(slope, filters)
        or numbers(where.inputs[2]) != [1]
    ):
        return None
    return _Step("activation", (less, where, last), last.outputs[0], slope)


def _misplaced(step: _Step, constants: Mapping[str, ir.Value], conv: ir.Node) -> str:
    """What to say of a step that stands where the sequence has no place left for it."""
    bias = f"{layer_of(conv)}.bias".lstrip(".")
    if any(value.name == bias for value in constants.values()):
        return (
            "its convolution has a bias in front of the steps behind it, for which a fused "
            "operator has no place; leave it out (bias=False), since a batch normalisation has one"
        )
    return (
        f"{describe(step.nodes[-1])} stands behind it where the steps of a fused operator are "
        "over: scale, shortcut, batch normalisation, shortcut, activation, each once"
    )
