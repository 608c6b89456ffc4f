"""Large float Linear layers with int8 weights, computed by ONNX Runtime's own operators.

Weights have 8 bits and a scale for each output; what they multiply is brought to 8 bits when the
file runs, between the least and the greatest value of each row, which is an image:

    step = (max(x) - min(x)) / 255          q = round((x - min(x)) / step)             uint8
    y = MatMulInteger(q, w) * step * scale  +  min(x) * sum(w * scale)  +  bias

ONNX's DynamicQuantizeLinear takes one range for a whole batch, so an image's logits would depend on
the images it came with; these steps take as long. Weights stand as uint8 about the zero point 128:
where a processor multiplies signed by unsigned bytes it may saturate (x86 before VNNI), and two
unsigned ones it does not. So all but the float sums before is exact, and the same everywhere.

A layer whose result a sign depends on stays as it is: what is compared for equality keeps its bits.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from bdnet import DeployedNet, InputError
from bdnet.deployment import constants_digest
from bdnet_export.opset import DOMAIN

FEWEST_WEIGHTS = 1024
"""A layer of fewer is left alone: it would save less than the nodes take."""

MOST_INPUTS = 65536
"""Of a layer: the sum of so many products of 8 bits fits int32."""

_ZERO_POINT = 128
_WEIGHT = ".weight"

Constants = dict[str, npt.NDArray[Any]]


def quantised(name: str, weight: npt.NDArray[np.float32]) -> Constants:
    """The constants that stand for the weight ``name``.

    Args:
        weight: [M, K], finite.

    Returns:
        ``name``: uint8 [K, M] about 128; beside it, float32 [M], ``scale``, what 1 of it is worth,
        and ``sum``, of the weights that it stands for.
    """
    scale = (np.abs(weight).max(axis=1) / np.float32(127)).astype(np.float32)
    scale[scale == 0] = 1
    steps = np.clip(np.rint(weight.astype(np.float64) / scale[:, None]), -127, 127)
    module = name.removesuffix(_WEIGHT)
    return {
        name: np.ascontiguousarray((steps + _ZERO_POINT).astype(np.uint8).T),
        f"{module}.scale": scale,
        f"{module}.sum": (steps.sum(axis=1) * scale).astype(np.float32),
    }


def quantise_linears(model: onnx.ModelProto) -> tuple[str, ...]:
    """Puts int8 weights in the place of those of every Linear layer that may have them.

    Args:
        model: changed in place.

    Returns:
        The names of the weights.

    Raises:
        InputError: there is no such layer.
    """
    graph = model.graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    before_signs = _ancestors_of_ours(graph)
    replaced: dict[str, Constants] = {}
    nodes = []
    for node in graph.node:
        weight = _weight(node, tensors)
        if weight is None or node.output[0] in before_signs:
            nodes.append(node)
            continue
        name = node.input[1]
        replaced[name] = quantised(name, weight)
        nodes += _int8_nodes(node, list(replaced[name]))
    if not replaced:
        raise InputError(
            f"the network has no Linear layer of at least {FEWEST_WEIGHTS:,} weights behind its "
            "last sign, so nothing would be int8; leave out --classifier int8"
        )
    read = {name for node in nodes for name in node.input}
    kept = [t for t in graph.initializer if t.name not in replaced and t.name in read]
    made = [
        numpy_helper.from_array(array, name)
        for constants in replaced.values()
        for name, array in constants.items()
    ]
    noted = [value for value in graph.value_info if value.name not in replaced]
    for field in (graph.node, graph.initializer, graph.value_info):
        del field[:]
    graph.value_info.extend(noted)
    graph.node.extend(nodes)
    graph.initializer.extend([*kept, *made])
    return tuple(replaced)


def constants_of(deployed: DeployedNet) -> Constants:
    """Every constant of a deployment form by its path."""
    return {name: tensor.numpy() for name, tensor in deployed.named_constants()}


def digest_with_int8(constants: Constants, int8: Iterable[str]) -> str:
    """`DeployedNet.digest` of a network's constants as a file has them.

    Args:
        constants: of the deployment form, by name.
        int8: the weights [M, K] that the file has in int8.
    """
    arrays = dict(constants)
    for name in int8:
        arrays |= quantised(name, arrays[name])
    return constants_digest(
        (name, str(array.dtype), array.shape, np.ascontiguousarray(array).tobytes())
        for name, array in sorted(arrays.items())
    )


def _weight(
    node: onnx.NodeProto, tensors: dict[str, onnx.TensorProto]
) -> npt.NDArray[np.float32] | None:
    """[M, K] of a Linear layer whose weights may be int8; None for any other node."""
    if node.domain or node.op_type not in ("Gemm", "MatMul") or node.input[1] not in tensors:
        return None
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    transposed = bool(attributes.pop("transB", 0))
    if any(value != (0 if name == "transA" else 1) for name, value in attributes.items()):
        return None
    tensor = tensors[node.input[1]]
    if tensor.data_type != onnx.TensorProto.FLOAT or len(tensor.dims) != 2:
        return None
    weight = numpy_helper.to_array(tensor)
    weight = weight if transposed else weight.T
    if weight.size < FEWEST_WEIGHTS or weight.shape[1] > MOST_INPUTS:
        return None
    return weight


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


def _int8_nodes(node: onnx.NodeProto, constants: list[str]) -> list[onnx.NodeProto]:
    """The nodes that compute what ``node``, a Linear layer, does."""
    module = node.input[1].removesuffix(_WEIGHT)
    x, (weight, scale, total) = node.input[0], constants
    nodes: list[onnx.NodeProto] = []

    def constant(name: str, value: npt.NDArray[Any]) -> str:
        return add("Constant", [], name, value=numpy_helper.from_array(value))

    def add(operator: str, inputs: list[str], name: str = "", **attributes: Any) -> str:
        output = f"{module}/{name or operator}"
        nodes.append(helper.make_node(operator, inputs, [output], output, **attributes))
        return output

    axis = constant("axis", np.array([-1], np.int64))
    least = add("ReduceMin", [x, axis], "least", keepdims=1)
    greatest = add("ReduceMax", [x, axis], "greatest", keepdims=1)
    span = add("Sub", [greatest, least], "span")
    # Where all values are equal there is no step, and nothing to divide by it.
    some = add("Max", [span, constant("tiny", np.array(1e-30, np.float32))], "some")
    step = add("Div", [some, constant("steps", np.array(255, np.float32))], "step")
    above = add("Div", [add("Sub", [x, least], "above"), step], "in_steps")
    bytes_ = add("Cast", [add("Round", [above])], "bytes", to=onnx.TensorProto.UINT8)
    zero_point = constant("zero_point", np.array(_ZERO_POINT, np.uint8))
    sums = add("MatMulInteger", [bytes_, weight, "", zero_point])
    y = add("Cast", [sums], "sums", to=onnx.TensorProto.FLOAT)
    y = add("Mul", [add("Mul", [y, step], "scaled_by_step"), scale], "scaled")
    y = add("Add", [y, add("Mul", [least, total], "offset")], "linear")
    if len(node.input) > 2:
        y = add("Add", [y, node.input[2]], "biased")
    nodes[-1].output[0] = node.output[0]
    return nodes
