"""OpenVINO: MobileNet V1 with binary point-wise convolutions, in 8 bits, or in float.

Usage: python -m benchmarks.peers.openvino.serve THREADS binary|int8|fp32

Binary takes the one form that OpenVINO runs binary throughout: a FakeQuantize of two levels, 0 and
1, before a BinaryConvolution. With levels of -1 and +1, the other form that its documentation
names, the convolution is binary too, but the signs leave FakeQuantize as floats and a scalar loop
packs them, which takes three times as long as all the rest.
"""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino as ov
from openvino import opset1, opset13

from benchmarks.peers.contestant import image, serve
from benchmarks.peers.mobilenet import BLOCKS, CLASSES, STEM

Array = npt.NDArray[np.float32]
Node = Any  # an openvino.Node
ACTIVATIONS = (0.0, 4.0)  # the range of what follows a ReLU, in 8 bits


class Network:
    """Builds the network, layer by layer, in one of the three precisions."""

    def __init__(self, precision: str) -> None:
        self.precision = precision
        self.random = np.random.default_rng(0)

    def values(self, *shape: int, scale: float = 1.0) -> Array:
        return self.random.standard_normal(shape, dtype=np.float32) * np.float32(scale)

    def ranged(self, x: Node, low: float, high: float, levels: int) -> Node:
        """x in so many levels from low to high."""
        shape = (1,) * len(x.get_output_shape(0))
        ends = [opset13.constant(np.full(shape, end, np.float32)) for end in (low, high)]
        return opset13.fake_quantize(x, *ends, *ends, levels)

    def activations(self, x: Node) -> Node:
        return self.ranged(x, *ACTIVATIONS, 256) if self.precision == "int8" else x

    def weights(self, values: Array) -> Node:
        constant = opset13.constant(values)
        largest = float(np.abs(values).max())
        int8 = self.precision == "int8"
        return self.ranged(constant, -largest, largest, 255) if int8 else constant

    def shifted(self, x: Node, channels: int) -> Node:
        return opset13.add(x, opset13.constant(self.values(1, channels, 1, 1, scale=0.1)))

    def stem(self, x: Node) -> Node:
        if self.precision == "int8":
            x = self.ranged(x, -4.0, 4.0, 256)
        filters = self.weights(self.values(STEM, 3, 3, 3, scale=0.2))
        x = opset13.convolution(x, filters, [2, 2], [1, 1], [1, 1], [1, 1])
        return opset13.relu(self.shifted(x, STEM))

    def depthwise(self, x: Node, channels: int, stride: int) -> Node:
        filters = self.weights(self.values(channels, 1, 1, 3, 3, scale=0.3))
        x = opset13.group_convolution(
            self.activations(x), filters, [stride, stride], [1, 1], [1, 1], [1, 1]
        )
        return self.shifted(x, channels)

    def pointwise(self, x: Node, channels: int, filters: int) -> Node:
        values = self.values(filters, channels, 1, 1, scale=channels**-0.5)
        if self.precision == "binary":
            threshold = opset13.constant(np.zeros((1, 1, 1, 1), np.float32))
            levels = [opset13.constant(np.full((1, 1, 1, 1), v, np.float32)) for v in (0, 1)]
            signs = opset13.fake_quantize(x, threshold, threshold, *levels, 2)
            bits = np.packbits(values >= 0, bitorder="little")
            packed = ov.Tensor(bits, ov.Shape(values.shape), ov.Type.u1)
            x = opset1.binary_convolution(
                signs,
                opset13.constant(packed),
                [1, 1],
                [0, 0],
                [0, 0],
                [1, 1],
                "xnor-popcount",
                0.0,
            )
            scale = np.abs(self.values(1, filters, 1, 1, scale=0.1))
            x = opset13.multiply(x, opset13.constant(scale))
        else:
            x = self.activations(opset13.relu(x))
            x = opset13.convolution(x, self.weights(values), [1, 1], [0, 0], [0, 0], [1, 1])
        return opset13.relu(self.shifted(x, filters))

    def model(self) -> ov.Model:
        parameter = opset13.parameter([1, 3, 224, 224], np.float32)
        x = self.stem(parameter)
        channels = STEM
        for filters, stride in BLOCKS:
            x = self.pointwise(self.depthwise(x, channels, stride), channels, filters)
            channels = filters
        x = opset13.reduce_mean(x, opset13.constant([2, 3]), False)
        classifier = opset13.constant(self.values(CLASSES, channels, scale=0.03))
        x = opset13.matmul(x, classifier, False, True)
        x = opset13.add(x, opset13.constant(self.values(1, CLASSES)))
        return ov.Model([x], [parameter])


def kernels(compiled: ov.CompiledModel) -> str:
    """How many layers of which type ran with which kernel, as OpenVINO itself reports it."""
    counts: Counter[str] = Counter()
    for node in compiled.get_runtime_model().get_ops():
        kind, kernel = (node.rt_info[key].astype(str) for key in ("layerType", "primitiveType"))
        if kind in ("BinaryConvolution", "Convolution", "FakeQuantize"):
            counts[f"{kind} {kernel}"] += 1
    return ", ".join(f"{count} {kernel}" for kernel, count in sorted(counts.items()))


def main(threads: int, precision: str) -> None:
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        # Otherwise it computes in bfloat16 where the processor can.
        "INFERENCE_PRECISION_HINT": "f32",
    }
    compiled = ov.Core().compile_model(Network(precision).model(), "CPU", settings)
    request = compiled.create_infer_request()
    request.set_input_tensor(ov.Tensor(image()))
    serve(
        ov.get_version(),
        ", ".join(f"{name}={value}" for name, value in settings.items()),
        kernels(compiled),
        request.infer,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
