"""Regions of a file: what rounds the same everywhere, and the float layers in between.

A node is *exact* if every implementation gives the same bits: the operators of ``ai.bdnet``, and
standard ones that round each element once or only move values. All others, such as Conv, Gemm and
ReduceMean, add in an order of their library's own, and an int8 layer, whose nodes are a kind of
their own, rounds on purpose. A region is a largest connected set of nodes of one kind; a *binary*
region is an exact one with an operator of ``ai.bdnet``, or one that reads image bytes. What a
constant is computed from belongs to whoever reads it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

import onnx
from onnx import TensorProto, helper

from bdnet_export.opset import DOMAIN
from bdnet_runtime.verification import INT8_LOGITS

_ROUNDED_ONCE = {"Abs", "Add", "Cast", "Ceil", "Clip", "Div", "Floor", "Max", "Min", "Mul", "Neg"}
_ROUNDED_ONCE |= {"Relu", "LeakyRelu", "PRelu", "Round", "Sign", "Sqrt", "Sub", "Where", "Mod"}
_COMPARED = {"And", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "Or", "Xor"}
_MOVED = {"Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "Identity", "MaxPool", "Pad"}
_MOVED |= {"Reshape", "Shape", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose"}
_MOVED |= {"Unsqueeze", "CastLike", "ConstantOfShape", "GlobalMaxPool", "ReduceMax", "ReduceMin"}
EXACT = frozenset(_ROUNDED_ONCE | _COMPARED | _MOVED)
"""Standard operators that round each element once, compare, or move values."""


REGION_TOLERANCE = 1e-5
"""Of the largest value that a float region puts out for a batch."""

Kind = Literal["exact", "float", "int8"]

TOLERATED: tuple[tuple[Kind, str, str, float], ...] = (
    ("float", "float regions", "regions", REGION_TOLERANCE),
    ("int8", "int8 classifier", "layers", INT8_LOGITS.tolerance),
)
"""Kinds with a tolerance: what a check of them is called, what they are many of, and how much."""


@dataclass(frozen=True)
class Region:
    """Connected nodes of one kind; an exact one is a binary region.

    Args:
        name: of its first node that is more than a movement of values.
        outputs: values that leave it.
    """

    name: str
    kind: Kind
    outputs: tuple[str, ...]

    @property
    def is_binary(self) -> bool:
        return self.kind == "exact"

    @property
    def tolerance(self) -> float | None:
        """How large an error of what it puts out may be, of the largest value; None: none."""
        return next((much for kind, _, _, much in TOLERATED if kind == self.kind), None)


def find_regions(
    model: onnx.ModelProto,
    comparable: Collection[str],
    also: Collection[str] = (),
    int8: Collection[str] = (),
) -> list[Region]:
    """The binary and the float regions of a file, in the order of their first nodes.

    Args:
        comparable: values that can be compared, such as all of float32. Others, such as shapes, are
            no region's outputs; whoever reads them computes them again.
        also: values that count among a region's outputs even if only the region reads them.
        int8: names of the nodes of int8 layers.
    """
    nodes = list(model.graph.node)
    by_value = _kinds(model, comparable, int8)
    kinds = [by_value[node.output[0]] for node in nodes]
    constant = {tensor.name for tensor in model.graph.initializer} | {""}
    root = list(range(len(nodes)))

    def find(index: int) -> int:
        while root[index] != index:
            root[index] = root[root[index]]
            index = root[index]
        return index

    made_by: dict[str, int] = {}
    for index, node in enumerate(nodes):
        if all(name in constant for name in node.input):
            constant.update(node.output)
            continue
        for name in node.input:
            maker = made_by.get(name)
            if maker is not None and kinds[maker] == kinds[index]:
                root[find(index)] = find(maker)
        made_by.update(dict.fromkeys(node.output, index))
    working = set(made_by.values())
    members: dict[int, list[int]] = {}
    for index in sorted(working):
        members.setdefault(find(index), []).append(index)
    leaving = {value.name for value in model.graph.output} | set(also)
    for index, node in enumerate(nodes):
        for name in node.input:
            maker = made_by.get(name)
            if maker is not None and (index not in working or find(maker) != find(index)):
                leaving.add(name)
    as_bytes = {
        value.name
        for value in model.graph.input
        if value.type.tensor_type.elem_type == TensorProto.UINT8
    }
    found = []
    for indices in sorted(members.values()):
        inside = [nodes[index] for index in indices]
        kind = kinds[indices[0]]
        if kind == "exact" and not any(
            node.domain == DOMAIN or as_bytes.intersection(node.input) for node in inside
        ):
            continue
        outputs = [
            name
            for node in inside
            for name in node.output
            if name in leaving and name in comparable
        ]
        if not outputs:
            continue
        telling = (n for n in inside if n.domain == DOMAIN or n.op_type not in _MOVED)
        found.append(Region(next(telling, inside[0]).name, kind, tuple(outputs)))
    return found


def is_exact(node: onnx.NodeProto) -> bool:
    """Whether every implementation of the node gives the same bits."""
    if (node.domain, node.op_type) == ("", "Resize"):
        return any(a.name == "mode" and a.s == b"nearest" for a in node.attribute)
    return node.domain == DOMAIN or (node.domain == "" and node.op_type in EXACT)


def _kinds(
    model: onnx.ModelProto, comparable: Collection[str], int8: Collection[str]
) -> dict[str, Kind]:
    """The kind of the node that makes each value.

    An exact node that reads a value of no exact one which cannot be compared, as inside of what
    PyTorch calls one operator, is of that one's kind. What constants are made of is exact.
    """
    kinds: dict[str, Kind] = {tensor.name: "exact" for tensor in model.graph.initializer}
    kinds[""] = "exact"
    constant = set(kinds)
    for node in model.graph.node:
        if constant.issuperset(node.input):
            constant.update(node.output)
            kinds.update(dict.fromkeys(node.output, "exact"))
            continue
        kind: Kind = "int8" if node.name in int8 else "exact" if is_exact(node) else "float"
        if kind == "exact" and node.domain != DOMAIN:
            inside = (kinds.get(name) for name in node.input if name not in comparable)
            kind = next((one for one in inside if one not in (None, "exact")), kind)
        kinds.update(dict.fromkeys(node.output, kind))
    return kinds


@dataclass(frozen=True)
class Part:
    """A region as a model of its own: what it reads, and the serialised model."""

    inputs: tuple[str, ...]
    model: bytes


def extract(
    model: onnx.ModelProto, region: Region, given: Collection[str], int8: Collection[str] = ()
) -> Part:
    """The region as a model that reads those of the ``given`` values that it needs.

    Args:
        given: float32 values that can be fed. The region's own are computed nevertheless.
        int8: as of `find_regions`.
    """
    made_by = {name: node for node in model.graph.node for name in node.output}
    initialisers = {tensor.name: tensor for tensor in model.graph.initializer}
    of_region = set(_own_values(model, region, _kinds(model, given, int8)))
    needed: set[str] = set()
    inputs: list[str] = []
    pending = list(region.outputs)
    while pending:
        name = pending.pop()
        if name in needed or not name or name in initialisers:
            continue
        if (name not in of_region and name in given) or name not in made_by:
            if name not in inputs:
                inputs.append(name)
            continue
        needed.update(made_by[name].output)
        pending.extend(made_by[name].input)
    nodes = [node for node in model.graph.node if needed.intersection(node.output)]
    read = {name for node in nodes for name in node.input}
    types = {value.name: value.type.tensor_type.elem_type for value in model.graph.input}
    graph = helper.make_graph(
        nodes,
        "region",
        [
            helper.make_tensor_value_info(name, types.get(name, TensorProto.FLOAT), None)
            for name in inputs
        ],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in region.outputs],
        [tensor for tensor in model.graph.initializer if tensor.name in read],
        value_info=[v for v in (*model.graph.value_info, *model.graph.input) if v.name in needed],
    )
    part = helper.make_model(graph, opset_imports=list(model.opset_import))
    part.ir_version = model.ir_version
    part.functions.extend(model.functions)
    return Part(tuple(inputs), part.SerializeToString())


def _own_values(model: onnx.ModelProto, region: Region, kinds: dict[str, Kind]) -> Iterator[str]:
    """All values that the region's nodes put out: back from its outputs over nodes of its kind."""
    made_by = {name: node for node in model.graph.node for name in node.output}
    seen: set[str] = set()
    pending = list(region.outputs)
    while pending:
        name = pending.pop()
        node = made_by.get(name)
        if name in seen or node is None or kinds[name] != region.kind:
            continue
        seen.add(name)
        yield name
        pending.extend(node.input)
