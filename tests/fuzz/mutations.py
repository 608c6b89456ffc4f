"""Models with something wrong in them, made from sound ones.

A mutation is a function of a model and a random generator that changes the model in place. Those
here keep the bodies of the custom operators as they are: what a body says is what a node means,
so whoever changes it may expect another answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, numpy_helper

Array = npt.NDArray[Any]

LIMITS = (0, -1, 1, 2, 3, 7, 127, 128, 16383, 16384, 2**24, 2**31 - 1, 2**31, 2**32, 2**61)
EXTREMES = (*LIMITS, 2**63 - 1, -(2**63))
SPECIAL_FLOATS = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e38, 1e-45)


def mutate(sound: bytes, random: Random) -> tuple[bytes, bool]:
    """A model with one to three mutations.

    Returns:
        The file, and whether it has one right answer: its bodies are still those of its operators,
        and it claims no shapes of values between nodes. Those may no longer be true, and ONNX
        Runtime plans memory by them: its standard operators then read what others have written.
    """
    if random.random() < 0.15:
        return _spoil_bytes(sound, random), False
    model = onnx.load_model_from_string(sound)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        random.choice(MUTATIONS)(model, random)
    claims_shapes = random.random() < 0.2
    if not claims_shapes:
        _forget_shapes(model)
    return model.SerializeToString(), not claims_shapes


def _spoil_bytes(sound: bytes, random: Random) -> bytes:
    """The file with bytes overwritten, left out, or missing at its end."""
    data = bytearray(sound)
    for _ in range(random.randint(1, 8)):
        at = random.randrange(len(data))
        kind = random.random()
        if kind < 0.7:
            data[at] = random.randrange(256)
        elif kind < 0.9:
            del data[at : at + random.randint(1, 4)]
        else:
            del data[at:]
        if not data:
            return b""
    return bytes(data)


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                yield from _graphs(attribute.g)


def _forget_shapes(model: ModelProto) -> None:
    for graph in _graphs(model.graph):
        del graph.value_info[:]
        for value in graph.output:
            value.type.tensor_type.ClearField("shape")


def _graph(model: ModelProto, random: Random) -> GraphProto:
    return random.choice(list(_graphs(model.graph)))


def _node(model: ModelProto, random: Random) -> NodeProto:
    """A node: one of ours in three of four cases."""
    nodes: list[NodeProto] = [n for graph in _graphs(model.graph) for n in graph.node]
    ours = [node for node in nodes if node.domain == "ai.bdnet"]
    if not nodes:  # a mutation before this one took the last
        return NodeProto()
    return random.choice(ours if ours and random.random() < 0.75 else nodes)


def _constant(model: ModelProto, random: Random) -> tuple[TensorProto, Array] | None:
    """A constant and what it holds; none if it is one whose shape and values already disagree."""
    tensors = [t for graph in _graphs(model.graph) for t in graph.initializer]
    for graph in _graphs(model.graph):
        for node in graph.node:
            tensors += [a.t for a in node.attribute if a.type == AttributeProto.TENSOR]
    if not tensors:
        return None
    tensor = random.choice(tensors)
    try:
        return tensor, numpy_helper.to_array(tensor)
    except (ValueError, TypeError):
        return None


def change_attribute(model: ModelProto, random: Random) -> None:
    """An attribute's value: a limit of some type or check, or a number near the old one."""
    node = _node(model, random)
    chosen = [a for a in node.attribute if a.type in (AttributeProto.INT, AttributeProto.INTS)]
    if not chosen:
        return
    attribute = random.choice(chosen)

    def new(old: int) -> int:
        near = max(-(2**63), min(2**63 - 1, old + random.randint(-2, 3)))
        return near if random.random() < 0.5 else random.choice(EXTREMES)

    if attribute.type == AttributeProto.INT:
        attribute.i = new(attribute.i)
    elif attribute.ints:
        at = random.randrange(len(attribute.ints))
        attribute.ints[at] = new(attribute.ints[at])


def misshape_attribute(model: ModelProto, random: Random) -> None:
    """An attribute that is missing, twice there, of another type or another length."""
    node = _node(model, random)
    if not node.attribute:
        return
    at = random.randrange(len(node.attribute))
    attribute = node.attribute[at]
    match random.randrange(4):
        case 0:
            del node.attribute[at]
        case 1:
            node.attribute.append(attribute)
        case 2:
            name = attribute.name
            attribute.Clear()
            attribute.CopyFrom(onnx.helper.make_attribute(name, random.choice((1.5, "x", 3, [4]))))
        case _:
            if attribute.type == AttributeProto.INTS:
                attribute.ints.extend([1] * random.randint(1, 3))


def change_values(model: ModelProto, random: Random) -> None:
    """What a constant holds: any bytes, or floats that are no numbers."""
    constant = _constant(model, random)
    if constant is None:
        return
    tensor, array = constant[0], constant[1].copy()
    if array.size == 0:
        return
    flat = array.reshape(-1)
    for _ in range(random.randint(1, 4)):
        at = random.randrange(flat.size)
        if array.dtype.kind == "f" and random.random() < 0.7:
            flat[at] = random.choice(SPECIAL_FLOATS)
        else:
            flat.view(np.uint8)[random.randrange(flat.nbytes)] = random.randrange(256)
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def reshape_constant(model: ModelProto, random: Random) -> None:
    """A constant of another shape, with as many values as that has, or as it had."""
    constant = _constant(model, random)
    if constant is None:
        return
    tensor, array = constant
    dims = list(array.shape)
    match random.randrange(4):
        case 0:
            dims.insert(random.randint(0, len(dims)), random.choice((0, 1, 2)))
        case 1:
            dims = [array.size]
        case 2:
            dims = dims[::-1]
        case _:
            if dims:
                at = random.randrange(len(dims))
                dims[at] = max(0, dims[at] + random.choice((-1, 1, 2, 7)))
    if random.random() < 0.3:  # values and shape disagree
        if dims:
            dims[random.randrange(len(dims))] = random.choice(EXTREMES)
        del tensor.dims[:]
        tensor.dims.extend(dims)
        return
    tensor.CopyFrom(numpy_helper.from_array(np.resize(array, dims), tensor.name))


def retype_constant(model: ModelProto, random: Random) -> None:
    """A constant of another type."""
    constant = _constant(model, random)
    if constant is None:
        return
    tensor, array = constant
    with np.errstate(all="ignore"):
        dtype = random.choice((np.float32, np.float64, np.float16, np.uint8, np.int8, np.int64))
        array = array.astype(dtype)
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def rewire(model: ModelProto, random: Random) -> None:
    """An edge that dangles, leads elsewhere, is missing or one too many; a circle is possible."""
    node = _node(model, random)
    graph = _graph(model, random)
    values = [name for other in graph.node for name in (*other.input, *other.output)] or ["x"]
    match random.randrange(6):
        case 0 if node.input:
            node.input[random.randrange(len(node.input))] = "nowhere"
        case 1 if node.input:
            node.input[random.randrange(len(node.input))] = random.choice(values)
        case 2 if node.input:
            node.input[random.randrange(len(node.input))] = ""
        case 3 if node.input:
            del node.input[random.randrange(len(node.input))]
        case 4:
            node.input.append(random.choice(values))
        case _ if node.output:
            node.output[random.randrange(len(node.output))] = random.choice((*values, "", "other"))


def change_nodes(model: ModelProto, random: Random) -> None:
    """A node that is missing, twice there, of another operator or another domain."""
    graph = _graph(model, random)
    if not graph.node:
        return
    at = random.randrange(len(graph.node))
    match random.randrange(4):
        case 0:
            del graph.node[at]
        case 1:
            graph.node.append(graph.node[at])
        case 2:
            others = [function.name for function in model.functions] or ["Relu"]
            _node(model, random).op_type = random.choice((*others, "Nothing", "Relu"))
        case _:
            graph.node[at].domain = random.choice(("ai.bdnet", "", "elsewhere"))


def drop_constant(model: ModelProto, random: Random) -> None:
    """A constant that is gone, or that is an input of the graph instead."""
    graph = _graph(model, random)
    if not graph.initializer:
        return
    at = random.randrange(len(graph.initializer))
    tensor = graph.initializer[at]
    if random.random() < 0.5:
        value = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        graph.input.append(value)
        return
    del graph.initializer[at]


def redeclare(model: ModelProto, random: Random) -> None:
    """What a graph says of its values: another type, rank, or size, huge or negative."""
    graph = _graph(model, random)
    values = [*graph.input, *graph.output, *graph.value_info]
    if not values:
        return
    tensor = random.choice(values).type.tensor_type
    if random.random() < 0.2:
        tensor.elem_type = random.choice((TensorProto.UINT8, TensorProto.DOUBLE, TensorProto.INT64))
        return
    dims = tensor.shape.dim
    match random.randrange(4):
        case 0:
            dims.add().dim_value = random.choice((0, 1, 5))
        case 1 if dims:
            del dims[random.randrange(len(dims))]
        case 2 if dims:
            dims[random.randrange(len(dims))].dim_param = "any"
        case _ if dims:
            dims[random.randrange(len(dims))].dim_value = random.choice(EXTREMES)


MUTATIONS: tuple[Callable[[ModelProto, Random], None], ...] = (
    change_attribute,
    change_attribute,
    misshape_attribute,
    change_values,
    change_values,
    reshape_constant,
    retype_constant,
    rewire,
    change_nodes,
    drop_constant,
    redeclare,
)
