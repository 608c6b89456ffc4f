"""ONNX Runtime's models: MobileNet V1 in float and in 8 bits, and one matrix product in float.

Usage: python -m benchmarks.peers.onnxruntime.build FOLDER. Writes fp32.onnx, int8.onnx and
matmul.onnx, which is the largest part of MobileNet V1's point-wise layers: [196, 512] x [512, 512].
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

from benchmarks.peers.contestant import image
from benchmarks.peers.mobilenet import BLOCKS, CLASSES, STEM


class Graph:
    """Nodes one after the other, each taking what the last one gave."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.random = np.random.default_rng(0)
        self.input = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
        self.last = "x"
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, kind: str, shapes: tuple[tuple[int, ...], ...] = (), **attributes: Any) -> None:
        """A node of which every input but the first is a constant, of these shapes."""
        names = [self.last]
        for shape in shapes:
            fan_in = int(np.prod(shape[1:]))
            values = self.random.standard_normal(shape, dtype=np.float32) / np.float32(fan_in**0.5)
            names.append(f"weight{len(self.weights)}")
            self.weights.append(numpy_helper.from_array(values, names[-1]))
        self.last = f"value{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, names, [self.last], **attributes))

    def write(self, path: Path, *shape: int) -> None:
        """The output, of this shape, is what the last node gave."""
        output = helper.make_tensor_value_info(self.last, TensorProto.FLOAT, shape)
        graph = helper.make_graph(self.nodes, path.stem, [self.input], [output], self.weights)
        opset = helper.make_opsetid("", 18)
        onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)


class Examples(CalibrationDataReader):  # type: ignore[misc]
    """What the ranges of the 8-bit activations are taken from: one image."""

    def __init__(self) -> None:
        self.images = iter([{"x": image()}])

    def get_next(self) -> dict[str, Any] | None:
        return next(self.images, None)


def mobilenet(path: Path) -> None:
    graph = Graph((1, 3, 224, 224))
    pads = [1, 1, 1, 1]
    graph.add("Conv", ((STEM, 3, 3, 3), (STEM,)), strides=[2, 2], pads=pads)
    graph.add("Relu")
    channels = STEM
    for filters, stride in BLOCKS:
        graph.add(
            "Conv",
            ((channels, 1, 3, 3), (channels,)),
            strides=[stride, stride],
            pads=pads,
            group=channels,
        )
        graph.add("Relu")
        graph.add("Conv", ((filters, channels, 1, 1), (filters,)))
        graph.add("Relu")
        channels = filters
    graph.add("GlobalAveragePool")
    graph.add("Flatten")
    graph.add("Gemm", ((CLASSES, channels), (CLASSES,)), transB=1)
    graph.write(path, 1, CLASSES)


def main(folder: Path) -> None:
    mobilenet(folder / "fp32.onnx")
    quantize_static(
        folder / "fp32.onnx",
        folder / "int8.onnx",
        Examples(),
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    product = Graph((196, 512))
    product.add("MatMul", ((512, 512),))
    product.write(folder / "matmul.onnx", 196, 512)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
