"""The float twin: the fastest float32 form of an exported network's architecture."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import helper, numpy_helper

from bdnet import BDMobileNetV1, InputError
from bdnet.layers import SignConv2d
from bdnet.models.base import BDNet
from bdnet_export.file_input import Size, file_input
from bdnet_export.metadata import read_metadata

OPSET = 18
IR_VERSION = 10
SEED = 0

# A network stands here when leaving its residuals out gives an architecture of its own that people
# deploy: MobileNet V1 has none.
_NETWORKS: dict[str, type[BDNet]] = {"BDMobileNetV1": BDMobileNetV1}


def float_twin(model: onnx.ModelProto, path: Path, size: Size | None = None) -> onnx.ModelProto:
    """A float32 network with the layers of an exported one, for images of the same size.

    Every convolution of the network, its stem among them, becomes a float convolution of the same
    channels, kernel, stride and padding, followed by a ReLU; pooling and classifier stay. Batch
    normalisation is folded: each convolution has a bias instead. There are no residuals, no learned
    shifts and no RPReLUs, as MobileNet V1 has none, and ONNX Runtime fuses each ReLU into its
    convolution. So this is the fastest float form of the architecture, and the hardest on ours.

    The weights are random with a fixed seed, scaled (He et al., 2015) so that values neither vanish
    nor grow: the time of a float convolution does not depend on them otherwise.

    Args:
        model: a file that `bdnet_export.export` wrote.
        path: of that file, for messages.
        size: height and width of the images, where the file leaves them open.

    Returns:
        A model with ``image`` float32 [N, C, H, W] -> ``logits`` float32 [N, classes]; the batch
        is open where the file's is.

    Raises:
        InputError: the file is not one of bdnet's, or its network has no twin.
    """
    shape = file_input(model, path).image_shape(size)
    batch = model.graph.input[0].type.tensor_type.shape.dim[0]
    graph = _Graph()
    value = "image"
    network = _network(model, path)
    for name, conv in network.named_modules():
        if isinstance(conv, torch.nn.Conv2d | SignConv2d):
            value = graph.conv_relu(name.removesuffix(".conv"), value, conv)
    value = graph.add("head/GlobalAveragePool", "GlobalAveragePool", [value])
    value = graph.add("head/Flatten", "Flatten", [value])
    graph.gemm("head.classifier", value, network.head.classifier)
    return graph.model([batch.dim_value or "batch", *shape])


def _network(model: onnx.ModelProto, path: Path) -> BDNet:
    """The network that was exported, with weights of no meaning and no memory."""
    described = read_metadata(model, path).network
    name = described.get("model")
    if name not in _NETWORKS:
        raise InputError(
            f"{path} holds a {name}, which has no float twin and so no int8 twin either; there are "
            f"twins of {', '.join(_NETWORKS)}; to compare with a network of your own, give the "
            "path of its .onnx file"
        )
    try:
        with torch.device("meta"):
            return _NETWORKS[name](**described["config"])
    except (KeyError, TypeError) as error:
        raise InputError(
            f"the network in the metadata of {path} cannot be made ({error}); export it again"
        ) from None


class _Graph:
    """Nodes in sequence, each after the module that it stands for."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(SEED)
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._classes = 0

    def add(
        self, name: str, operator: str, inputs: list[str], output: str = "", **attributes: Any
    ) -> str:
        """Returns the value that the node gives."""
        output = output or name
        self._nodes.append(helper.make_node(operator, inputs, [output], name, **attributes))
        return output

    def conv_relu(self, name: str, value: str, conv: torch.nn.Conv2d | SignConv2d) -> str:
        kh, kw = conv.kernel_size
        shape = (conv.out_channels, conv.in_channels // conv.groups, kh, kw)
        value = self.add(
            f"{name}/Conv",
            "Conv",
            [value, *self._weights(name, shape)],
            kernel_shape=[kh, kw],
            strides=list(conv.stride),
            pads=_pads(conv),
            dilations=list(conv.dilation),
            group=conv.groups,
        )
        return self.add(f"{name}/Relu", "Relu", [value])

    def gemm(self, name: str, value: str, linear: torch.nn.Linear) -> None:
        self._classes = linear.out_features
        weights = self._weights(name, (linear.out_features, linear.in_features))
        self.add(f"{name}/Gemm", "Gemm", [value, *weights], "logits", transB=1)

    def model(self, input_shape: list[int | str]) -> onnx.ModelProto:
        logits = [input_shape[0], self._classes]
        graph = helper.make_graph(
            self._nodes,
            "float twin",
            [helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, input_shape)],
            [helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, logits)],
            self._constants,
        )
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="bdnet"
        )
        onnx.checker.check_model(model, full_check=True)
        return model

    def _weights(self, name: str, shape: tuple[int, ...]) -> list[str]:
        """The names of a weight of ``shape`` and of a bias, one for each of its filters."""
        deviation = math.sqrt(2 / math.prod(shape[1:]))
        return [
            self._constant(f"{name}.weight", shape, deviation),
            self._constant(f"{name}.bias", shape[:1], 0.1),
        ]

    def _constant(self, name: str, shape: tuple[int, ...], deviation: float) -> str:
        values: npt.NDArray[np.float32] = self._random.standard_normal(shape, dtype=np.float32)
        self._constants.append(numpy_helper.from_array(values * np.float32(deviation), name))
        return name


def _pads(conv: torch.nn.Conv2d | SignConv2d) -> list[int]:
    """Top, left, bottom, right."""
    if isinstance(conv, SignConv2d):
        return list(conv.padding)
    assert isinstance(conv.padding, tuple)  # no network here pads by 'same'
    return [*conv.padding, *conv.padding]
