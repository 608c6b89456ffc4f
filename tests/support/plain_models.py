"""Models of standard operators only, for tests of what surrounds the network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper, save

Dimension = int | str


def conv_relu(
    shape: Sequence[Dimension] = ("N", 3, 16, 16), data_type: int = TensorProto.FLOAT
) -> ModelProto:
    """Relu(Conv(x)) with a 3 x 3 kernel that reads 3 channels, whatever ``shape`` says."""
    weight = np.random.default_rng(0).standard_normal((8, 3, 3, 3), dtype=np.float32)
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["f", "w"], ["c"]),
        helper.make_node("Relu", ["c"], ["y"]),
    ]
    return _model(nodes, [("x", data_type, shape)], {"w": weight})


def two_inputs() -> ModelProto:
    """x + z."""
    inputs = [(name, TensorProto.FLOAT, ("N", 4)) for name in ("x", "z")]
    return _model([helper.make_node("Add", ["x", "z"], ["y"])], inputs, {})


def custom_operator_without_body() -> ModelProto:
    """A node of ai.bdnet and no function that says what it means."""
    node = helper.make_node("Nothing", ["x"], ["y"], domain="ai.bdnet")
    return _model([node], [("x", TensorProto.FLOAT, ("N", 4))], {})


def write(model: ModelProto, path: Path) -> Path:
    save(model, path)
    return path


def _model(
    nodes: Sequence[NodeProto],
    inputs: Sequence[tuple[str, int, Sequence[Dimension]]],
    weights: dict[str, npt.NDArray[np.float32]],
) -> ModelProto:
    graph = helper.make_graph(
        nodes,
        "plain",
        [helper.make_tensor_value_info(*value) for value in inputs],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weight, name) for name, weight in weights.items()],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.bdnet", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)
