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

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from bdnet import DeployedNet, InputError
from bdnet.deployment import constants_digest
from bdnet_export.linears import FEWEST_WEIGHTS, find_linears, reads

_ZERO_POINT = 128
_PRODUCTS = "MatMulInteger"

Constants = dict[str, npt.NDArray[Any]]


def quantised(name: str, weight: npt.NDArray[np.float32]) -> Constants:
    """The constants that stand for the weight ``name``.

    Args:
        weight: [M, K], finite.

    Returns:
        ``name``: uint8 [K, M] about 128; behind its name, float32 [M], ``scale``, what 1 of it is
        worth, and ``sum``, of the weights that it stands for.
    """
    scale = (np.abs(weight).max(axis=1) / np.float32(127)).astype(np.float32)
    scale[scale == 0] = 1
    steps = np.clip(np.rint(weight.astype(np.float64) / scale[:, None]), -127, 127)
    return {
        name: np.ascontiguousarray((steps + _ZERO_POINT).astype(np.uint8).T),
        f"{name}.scale": scale,
        f"{name}.sum": (steps.sum(axis=1) * scale).astype(np.float32),
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
    linears = find_linears(model)
    if not linears:
        raise InputError(
            f"the network has no Linear layer of at least {FEWEST_WEIGHTS:,} weights behind its "
            "last sign, so nothing would be int8; leave out --classifier int8"
        )
    replaced = {linear.name: quantised(linear.name, linear.weight) for linear in linears.values()}
    nodes: list[onnx.NodeProto] = []
    for index, node in enumerate(graph.node):
        if index in linears:
            linear = linears[index]
            nodes += _int8_nodes(node, linear.prefix, list(replaced[linear.name]))
        else:
            nodes.append(node)
    # What turned a weight that is gone has no reader.
    nodes = [n for n in nodes if not (n.op_type == "Transpose" and n.input[0] in replaced)]
    read = {name for node in nodes for name in reads(node)}
    kept = [t for t in graph.initializer if t.name not in replaced and t.name in read]
    made = [
        numpy_helper.from_array(array, name)
        for constants in replaced.values()
        for name, array in constants.items()
    ]
    known = read.union(*(node.output for node in nodes)) - replaced.keys()
    noted = [value for value in graph.value_info if value.name in known]
    for field in (graph.node, graph.initializer, graph.value_info):
        del field[:]
    graph.value_info.extend(noted)
    graph.node.extend(nodes)
    graph.initializer.extend([*kept, *made])
    return tuple(replaced)


def int8_nodes(model: onnx.ModelProto, weights: Collection[str]) -> set[str]:
    """Names of the nodes that `quantise_linears` has written for ``weights``."""
    prefixes = {
        node.name.rpartition("/")[0]
        for node in model.graph.node
        if node.op_type == _PRODUCTS and node.input[1] in weights
    }
    found = set()
    for node in model.graph.node:
        prefix, _, step = node.name.rpartition("/")
        # Nodes that torch.onnx has written are called after their operators.
        if prefix in prefixes and (step == _PRODUCTS or step[:1].islower()):
            found.add(node.name)
    return found


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


def _int8_nodes(node: onnx.NodeProto, prefix: str, constants: list[str]) -> list[onnx.NodeProto]:
    """The nodes that compute what ``node``, a Linear layer, does."""
    x, (weight, scale, total) = node.input[0], constants
    nodes: list[onnx.NodeProto] = []

    def constant(name: str, value: npt.NDArray[Any]) -> str:
        return add("Constant", [], name, value=numpy_helper.from_array(value))

    def add(operator: str, inputs: list[str], name: str = "", **attributes: Any) -> str:
        output = f"{prefix}/{name or operator}"
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
    bytes_ = add("Cast", [add("Round", [above], "rounded")], "bytes", to=onnx.TensorProto.UINT8)
    zero_point = constant("zero_point", np.array(_ZERO_POINT, np.uint8))
    sums = add(_PRODUCTS, [bytes_, weight, "", zero_point])
    y = add("Cast", [sums], "sums", to=onnx.TensorProto.FLOAT)
    y = add("Mul", [add("Mul", [y, step], "scaled_by_step"), scale], "scaled")
    y = add("Add", [y, add("Mul", [least, total], "offset")], "linear")
    if len(node.input) > 2:
        y = add("Add", [y, node.input[2]], "biased")
    nodes[-1].output[0] = node.output[0]
    return nodes
