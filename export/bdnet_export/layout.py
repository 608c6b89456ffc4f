"""Transpositions moved to the edges of each binary region.

A module of ours reads and writes [N, C, H, W] like every PyTorch layer and computes in
[N, H, W, C], so it is traced with a Transpose on either side. Between two such modules they cancel.
Where the network adds, multiplies, concatenates or bends values in between, the Transpose is moved
behind that operator, which does the same in either layout. What is left stands where a float layer,
or the caller, wants channels first.

    unit ─► to NCHW ─► to NHWC ─► unit          unit ─────────────────► unit
    unit ─► to NCHW ─┐                    ──►   unit ─┐
                     Add ─► to NHWC ─► unit           Add ────────────► unit
    unit ─► to NCHW ─┘                          unit ─┘

Exact because a Transpose moves values and changes none, and none of the operators looks further
than one position, or one axis that is named.
"""

from __future__ import annotations

import onnx_ir as ir
import onnx_ir.passes.common

TO_FIRST, TO_LAST = [0, 3, 1, 2], [0, 2, 3, 1]
ORIGIN = "bdnet.origin"
"""Metadata of a value: the traced value it is, and ``:nhwc`` behind it where its layout changed."""

_ELEMENTWISE = {
    *("Abs", "Add", "Cast", "Clip", "Div", "Elu", "Equal", "Erf", "Exp", "Greater", "HardSigmoid"),
    *("GreaterOrEqual", "HardSwish", "Identity", "LeakyRelu", "Less", "LessOrEqual", "Log", "Max"),
    *("Min", "Mul", "Neg", "Reciprocal", "Relu", "Sigmoid", "Softplus", "Sqrt", "Sub", "Tanh"),
    *("Where",),
}
_AXES_LAST = {0: 0, 1: 3, 2: 1, 3: 2}
"""Where an axis of NCHW is in NHWC."""


def move_transposes(model: ir.Model) -> None:
    """Cancels and moves the transpositions of a traced graph, in place."""
    graph = model.graph
    changed = True
    while changed:
        changed = False
        for node in list(graph):
            if node.graph is None:
                continue
            if is_transpose(node):
                changed |= _cancel(node) or _merge(node)
            else:
                changed |= _move(graph, node)
        onnx_ir.passes.common.RemoveUnusedNodesPass()(model)


def is_transpose(node: ir.Node | None, perm: list[int] | None = None) -> bool:
    """Whether ``node`` is a Transpose, by ``perm`` where that is given."""
    if node is None or node.domain != "" or node.op_type != "Transpose":
        return False
    return perm is None or list(node.attributes.get_ints("perm", [])) == perm


def _replace(graph_outputs: list[ir.Value], old: ir.Value, new: ir.Value) -> bool:
    """Whether all uses of ``old`` could become uses of ``new``: a graph's output stays."""
    if old in graph_outputs or not old.uses():
        return False
    ir.convenience.replace_all_uses_with(old, new)
    return True


def _cancel(node: ir.Node) -> bool:
    """A transposition of a transposition that undoes it."""
    before = _input(node).producer()
    pairs = ((TO_FIRST, TO_LAST), (TO_LAST, TO_FIRST))
    if not any(is_transpose(before, a) and is_transpose(node, b) for a, b in pairs):
        return False
    assert before is not None
    assert node.graph is not None
    return _replace(list(node.graph.outputs), node.outputs[0], _input(before))


def _merge(node: ir.Node) -> bool:
    """The second of two equal transpositions."""
    perm = list(node.attributes.get_ints("perm", []))
    for other, _ in _input(node).uses():
        if other is node:
            return False
        if is_transpose(other, perm) and other.graph is node.graph and _before(other, node):
            assert node.graph is not None
            return _replace(list(node.graph.outputs), node.outputs[0], other.outputs[0])
    return False


def _before(first: ir.Node, second: ir.Node) -> bool:
    assert first.graph is not None
    return next(node for node in first.graph if node is first or node is second) is first


def _move(graph: ir.Graph, node: ir.Node) -> bool:
    """A node that reads transposed values reads the values, and its own result is transposed."""
    axis = None
    if node.domain != "" or len(node.outputs) != 1 or not _is_planar(node.outputs[0]):
        return False
    if node.op_type == "Concat":
        axis = node.attributes.get_int("axis", 0) % 4
    elif node.op_type not in _ELEMENTWISE:
        return False
    if not any(v is not None and is_transpose(v.producer(), TO_FIRST) for v in node.inputs):
        return False
    # All are known to have a form in NHWC before anything is changed.
    if not all(value is None or _has_last(value, axis is None) for value in node.inputs):
        return False
    inputs = [None if value is None else _last(graph, node, value) for value in node.inputs]
    y = node.outputs[0]
    attributes = list(node.attributes.values())
    if axis is not None:
        attributes = [ir.AttrInt64("axis", _AXES_LAST[axis])]
    moved = ir.Node("", node.op_type, inputs, attributes, num_outputs=1, name=node.name)
    back = ir.node("Transpose", [moved.outputs[0]], {"perm": TO_FIRST})
    graph.insert_before(node, [moved, back])
    _take_over(graph, y, moved.outputs[0], back)
    return True


def _take_over(graph: ir.Graph, y: ir.Value, last: ir.Value, back: ir.Node) -> None:
    """``last`` is ``y`` in NHWC and ``back`` makes ``y`` of it, for all who read it."""
    first = back.outputs[0]
    first.shape, first.type, last.type = y.shape, y.type, y.type
    if y.shape is not None:
        last.shape = ir.Shape([y.shape[axis] for axis in TO_LAST])
    origin = y.metadata_props.get(ORIGIN)
    if origin is not None:
        first.metadata_props[ORIGIN] = origin
        last.metadata_props[ORIGIN] = origin + ":nhwc"
    name, y.name = y.name, None
    is_output = y in graph.outputs
    back.name = f"{name}/Transpose"
    last.name, first.name = (f"{name}/nhwc", name) if is_output else (name, back.name)
    ir.convenience.replace_all_uses_with(y, first, replace_graph_outputs=is_output)


def _has_last(value: ir.Value, may_broadcast: bool) -> bool:
    if may_broadcast and (_is_scalar(value) or _vector(value) is not None):
        return True
    return value.shape is not None and len(value.shape) == 4 and _reaches_nhwc(value)


def _reaches_nhwc(value: ir.Value) -> bool:
    """Whether a transposition of ``value`` costs nothing, or next to nothing."""
    if is_transpose(value.producer(), TO_FIRST):
        return True
    if any(is_transpose(user, TO_LAST) for user, _ in value.uses()):
        return True
    assert value.shape is not None
    return list(value.shape[2:]) == [1, 1]  # one number a channel, such as a gate's


def _last(graph: ir.Graph, user: ir.Node, value: ir.Value) -> ir.Value:
    """``value`` in NHWC, for a node before which more nodes may be put."""
    producer = value.producer()
    if is_transpose(producer, TO_FIRST):
        assert producer is not None
        return _input(producer)
    if value.shape is None or len(value.shape) != 4:
        return value if _is_scalar(value) else _vector(value) or value
    vector = _vector(value)
    if vector is not None:
        return vector
    node = ir.node("Transpose", [value], {"perm": TO_LAST}, name=f"{value.name}/Transpose")
    node.outputs[0].name = f"{value.name}/nhwc"
    node.outputs[0].type = value.type
    node.outputs[0].shape = ir.Shape([value.shape[axis] for axis in TO_LAST])
    graph.insert_before(user, node)
    return node.outputs[0]


def _is_planar(value: ir.Value) -> bool:
    return value.shape is not None and len(value.shape) == 4


def _is_scalar(value: ir.Value) -> bool:
    return value.shape is not None and all(size == 1 for size in value.shape)


def _vector(value: ir.Value) -> ir.Value | None:
    """The constant [C] that ``value``, [C, 1, 1] or [1, C, 1, 1], is a reshaping of."""
    producer = value.producer()
    if producer is None or (producer.domain, producer.op_type) != ("", "Reshape"):
        return None
    source = _input(producer)
    if not source.is_initializer() or source.shape is None or len(source.shape) != 1:
        return None
    channels = source.shape[0]
    shape = None if value.shape is None else list(value.shape)
    return source if shape in ([channels, 1, 1], [1, channels, 1, 1]) else None


def _input(node: ir.Node) -> ir.Value:
    value = node.inputs[0]
    assert value is not None
    return value
