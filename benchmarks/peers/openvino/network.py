"""MobileNet V1 in OpenVINO's operators: in float, in 8 bits, binary, and as BD-Net has it.

Binary takes the one form that OpenVINO runs binary throughout: a FakeQuantize of two levels, 0 and
1, before a BinaryConvolution; benchmarks/peers/README.md says what becomes of the others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import openvino as ov
from openvino import opset1, opset13

from benchmarks.peers.mobilenet import BLOCKS, CLASSES, STEM

Array = npt.NDArray[np.float32]
Node = Any  # an openvino.Node
ONES, ZEROS = [1, 1], [0, 0]


def constant(values: Array) -> Node:
    return opset13.constant(values)


def scalar(value: float, rank: int = 4) -> Node:
    return constant(np.full((1,) * rank, value, np.float32))


class Float:
    """The network in float; the other precisions are made of it by changing its layers."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(0)

    def values(self, *shape: int, scale: float = 1.0) -> Array:
        return self.random.standard_normal(shape, dtype=np.float32) * np.float32(scale)

    def per_channel(self, channels: int) -> Node:
        return constant(self.values(1, channels, 1, 1, scale=0.1))

    def activations(self, x: Node) -> Node:
        """What a convolution reads, behind a ReLU."""
        return x

    def weights(self, values: Array) -> Node:
        return constant(values)

    def stem(self, x: Node) -> Node:
        filters = self.weights(self.values(STEM, 3, 3, 3, scale=0.2))
        x = opset13.convolution(x, filters, [2, 2], ONES, ONES, ONES)
        return opset13.relu(opset13.add(x, self.per_channel(STEM)))

    def depthwise(self, x: Node, channels: int, stride: int) -> Node:
        filters = self.weights(self.values(channels, 1, 1, 3, 3, scale=0.3))
        x = opset13.group_convolution(
            self.activations(x), filters, [stride, stride], ONES, ONES, ONES
        )
        return opset13.relu(opset13.add(x, self.per_channel(channels)))

    def pointwise(self, x: Node, channels: int, filters: int) -> Node:
        weights = self.weights(self.values(filters, channels, 1, 1, scale=channels**-0.5))
        x = opset13.convolution(self.activations(x), weights, ONES, ZEROS, ZEROS, ONES)
        return opset13.relu(opset13.add(x, self.per_channel(filters)))

    def model(self) -> ov.Model:
        parameter = opset13.parameter([1, 3, 224, 224], np.float32)
        x = self.stem(parameter)
        channels = STEM
        for filters, stride in BLOCKS:
            x = self.pointwise(self.depthwise(x, channels, stride), channels, filters)
            channels = filters
        x = opset13.reduce_mean(x, opset13.constant([2, 3]), False)
        x = opset13.matmul(x, constant(self.values(CLASSES, channels, scale=0.03)), False, True)
        return ov.Model([opset13.add(x, constant(self.values(1, CLASSES)))], [parameter])


class Int8(Float):
    """Activations and weights in 8 bits, as FakeQuantize says it; the classifier in float."""

    def ranged(self, x: Node, low: float, high: float, levels: int) -> Node:
        ends = [scalar(end, len(x.get_output_shape(0))) for end in (low, high)]
        return opset13.fake_quantize(x, *ends, *ends, levels)

    def activations(self, x: Node) -> Node:
        return self.ranged(x, 0.0, 4.0, 256)

    def weights(self, values: Array) -> Node:
        largest = float(np.abs(values).max())
        return self.ranged(constant(values), -largest, largest, 255)

    def stem(self, x: Node) -> Node:
        return super().stem(self.ranged(x, -4.0, 4.0, 256))


class Binary(Float):
    """Point-wise convolutions of signs with signs; all else in float."""

    def threshold(self, channels: int) -> Node:
        """What an activation must be above to count as +1: the same for all channels."""
        return scalar(0.0)

    def depthwise(self, x: Node, channels: int, stride: int) -> Node:
        filters = constant(self.values(channels, 1, 1, 3, 3, scale=0.3))
        x = opset13.group_convolution(x, filters, [stride, stride], ONES, ONES, ONES)
        return opset13.add(x, self.per_channel(channels))  # a ReLU would leave no sign but +1

    def sums(self, x: Node, channels: int, filters: int) -> Node:
        """The sums of products of signs, scaled."""
        threshold = self.threshold(channels)
        bits = opset13.fake_quantize(x, threshold, threshold, scalar(0.0), scalar(1.0), 2)
        signs = self.values(filters, channels, 1, 1) >= 0
        packed = ov.Tensor(np.packbits(signs, bitorder="little"), ov.Shape(signs.shape), ov.Type.u1)
        x = opset1.binary_convolution(
            bits, opset13.constant(packed), ONES, ZEROS, ZEROS, ONES, "xnor-popcount", 0.0
        )
        return opset13.multiply(x, self.per_channel(filters))

    def pointwise(self, x: Node, channels: int, filters: int) -> Node:
        x = self.sums(x, channels, filters)
        return opset13.relu(opset13.add(x, self.per_channel(filters)))


class BDNet(Binary):
    """BDMobileNetV1's own network: signs before both convolutions, residuals, RPReLU.

    Its 1.58-bit depth-wise convolutions have no kernel of their own here and run in float.
    """

    def threshold(self, channels: int) -> Node:
        return self.per_channel(channels)

    def unit(self, sums: Node, shortcut: Node, channels: int) -> Node:
        """What follows a convolution: residual, batch normalisation, RPReLU."""
        x = opset13.add(sums, shortcut)
        x = opset13.multiply(x, self.per_channel(channels))
        x = opset13.add(x, self.per_channel(channels))  # with RPReLU's first shift in it
        x = opset13.prelu(x, constant(self.values(channels, scale=0.1)))
        return opset13.add(x, self.per_channel(channels))

    def stem(self, x: Node) -> Node:
        filters = constant(self.values(STEM, 3, 3, 3, scale=0.2))
        x = opset13.convolution(x, filters, [2, 2], ONES, ONES, ONES)
        return opset13.add(x, self.per_channel(STEM))

    def depthwise(self, x: Node, channels: int, stride: int) -> Node:
        above = opset13.greater_equal(x, self.per_channel(channels))
        # Not Sign, which OpenVINO runs in a scalar loop.
        signs = opset13.select(above, scalar(1.0), scalar(-1.0))
        ternary = np.sign(np.round(self.values(channels, 1, 1, 3, 3)))
        strides = [stride, stride]
        sums = opset13.group_convolution(signs, constant(ternary), strides, ONES, ONES, ONES)
        sums = opset13.multiply(sums, self.per_channel(channels))
        if stride > 1:
            x = opset13.avg_pool(x, strides, ZEROS, ZEROS, strides, True)
        return self.unit(sums, x, channels)

    def pointwise(self, x: Node, channels: int, filters: int) -> Node:
        shortcut = x if filters == channels else opset13.concat([x] * (filters // channels), 1)
        return self.unit(self.sums(x, channels, filters), shortcut, filters)


NETWORKS = {"fp32": Float, "int8": Int8, "binary": Binary, "bdnet": BDNet}
