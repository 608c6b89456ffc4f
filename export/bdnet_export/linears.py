"""Which nodes of a graph are float Linear layers behind the last sign."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from bdnet_export.opset import DOMAIN

FEWEST_WEIGHTS = 1024
"""A layer of fewer is left alone: it would save less than the nodes take."""

MOST_INPUTS = 65536
"""Of a layer: the sum of so many products of 8 bits fits int32."""

_WEIGHT = ".weight"


@dataclass(frozen=True)
class Linear:
    """A node that multiplies by a weight.

    Args:
        name: of the weight.
        weight: [M, K].
        stored: as [K, M], which the node reads as it is.
        prefix: of the names of what stands in its place; no other node's.
    """

    name: str
    weight: npt.NDArray[np.float32]
    stored: bool
    prefix: str


def find_linears(model: onnx.ModelProto) -> dict[int, Linear]:
    """Linear layers whose weights may be int8, by the places of their nodes.

    No sign depends on what they put out, and nobody else reads their weights, nor reads them
    otherwise turned.
    """
    graph = model.graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    # torch.onnx writes a Gemm for rows of features, and for rows of rows a MatMul with this.
    turned = {n.output[0]: n.input[0] for n in graph.node if _turns(n) and n.input[0] in tensors}
    before_signs = _ancestors_of_ours(graph)
    found: dict[int, Linear] = {}
    uses: Counter[str] = Counter()
    ways: defaultdict[str, set[bool]] = defaultdict(set)
    others = {value.name for value in graph.output}
    for index, node in enumerate(graph.node):
        linear = None if node.output[0] in before_signs else _linear(node, tensors, turned, uses)
        if linear is not None:
            found[index] = linear
            ways[linear.name].add(linear.stored)
            others.update(name for name in node.input if name != node.input[1])
        elif node.output[0] not in turned:
            others.update(reads(node))
    others |= {source for value, source in turned.items() if value in others}
    return {
        index: linear
        for index, linear in found.items()
        if linear.name not in others and len(ways[linear.name]) == 1
    }


def reads(node: onnx.NodeProto) -> Iterator[str]:
    """Names of what a node reads, its bodies too."""
    yield from node.input
    for attribute in node.attribute:
        for inner in attribute.g.node:
            yield from reads(inner)
        yield from (value.name for value in attribute.g.output)


def _turns(node: onnx.NodeProto) -> bool:
    return (
        not node.domain
        and node.op_type == "Transpose"
        and all(list(a.ints) == [1, 0] for a in node.attribute if a.name == "perm")
    )


def _linear(
    node: onnx.NodeProto,
    tensors: dict[str, onnx.TensorProto],
    turned: dict[str, str],
    uses: Counter[str],
) -> Linear | None:
    if node.domain or node.op_type not in ("Gemm", "MatMul"):
        return None
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    transposed = bool(attributes.pop("transB", 0)) != (node.input[1] in turned)
    if any(value != (0 if name == "transA" else 1) for name, value in attributes.items()):
        return None
    name = turned.get(node.input[1], node.input[1])
    tensor = tensors.get(name)
    if tensor is None or tensor.data_type != onnx.TensorProto.FLOAT or len(tensor.dims) != 2:
        return None
    weight = numpy_helper.to_array(tensor)
    weight = weight if transposed else weight.T
    if weight.size < FEWEST_WEIGHTS or weight.shape[1] > MOST_INPUTS:
        return None
    module = name.removesuffix(_WEIGHT)
    uses[name] += 1
    prefix = module if uses[name] == 1 else f"{module}#{uses[name]}"
    return Linear(name, weight, not transposed, prefix)


def _ancestors_of_ours(graph: onnx.GraphProto) -> set[str]:
    """All values that a node of ours is computed from, also one in the body of another."""
    needed: set[str] = set()
    for node in reversed(graph.node):  # in an order in which they can run
        if _holds_ours(node) or needed.intersection(node.output):
            needed.update(node.input)
    return needed


def _holds_ours(node: onnx.NodeProto) -> bool:
    return node.domain == DOMAIN or any(
        _holds_ours(inner) for attribute in node.attribute for inner in attribute.g.node
    )
