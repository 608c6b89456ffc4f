"""The twins: the architecture of the network and nothing else of it, as ONNX Runtime fuses it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import pytest
import torch
from torch.nn import functional as F

import bdnet
import bdnet_export
from bdnet import BDMobileNetV1, InputError
from bdnet.layers import SignConv2d, TernaryConv2d
from bdnet_export.images import random_images
from bdnet_export.model_file import load_model
from bdnet_export.twins import float_twin, int8_twin
from support import plain_models
from support.networks import TINY_SHAPE, tiny_network

SHAPE = (2, 20, 14)
CONFIG = {
    "width": 0.25,
    "num_classes": 7,
    "in_channels": 2,
    "stem_stride": 1,
    "strides": [1, 2, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1],
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("twins") / "model.onnx"
    bdnet_export.export(BDMobileNetV1(**CONFIG), path, input_shape=SHAPE)
    return path


@pytest.fixture(scope="module")
def twin(exported: Path) -> onnx.ModelProto:
    return float_twin(load_model(exported), exported)


def constants(model: onnx.ModelProto) -> dict[str, npt.NDArray[np.float32]]:
    return {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}


def run(model: onnx.ModelProto, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    logits: npt.NDArray[np.float32] = session.run(None, {"image": images})[0]
    return logits


def test_the_twin_multiplies_as_often_as_the_network(twin: onnx.ModelProto) -> None:
    inferred = onnx.shape_inference.infer_shapes(twin, strict_mode=True).graph
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim][1:]
        for value in [*inferred.value_info, *inferred.output]
    }
    weights = constants(twin)
    found = [
        math.prod(shapes[node.output[0]]) * math.prod(weights[node.input[1]].shape[1:])
        for node in twin.graph.node
        if node.op_type in ("Conv", "Gemm")
    ]
    network = BDMobileNetV1(**CONFIG)
    modules = dict(network.named_modules())
    expected = [
        row.flops + row.bops // (2 if isinstance(modules[row.name], TernaryConv2d) else 1)
        for row in bdnet.count_ops(network, SHAPE).rows
        if row.flops or row.bops
    ]
    assert found == expected


def test_the_twin_has_nothing_that_is_slow_in_float(twin: onnx.ModelProto) -> None:
    operators = [node.op_type for node in twin.graph.node]
    assert set(operators) == {"Conv", "Relu", "GlobalAveragePool", "Flatten", "Gemm"}
    assert operators.count("Conv") == operators.count("Relu") == 27
    assert not twin.functions


def test_the_twin_is_the_network_in_float(twin: onnx.ModelProto) -> None:
    """PyTorch computes the network's layers with the twin's constants."""
    weights = {name: torch.from_numpy(array.copy()) for name, array in constants(twin).items()}
    images = random_images(3, SHAPE).images
    x = torch.from_numpy(images)
    network = BDMobileNetV1(**CONFIG)
    for name, conv in network.named_modules():
        if isinstance(conv, torch.nn.Conv2d | SignConv2d):
            layer = name.removesuffix(".conv")
            x = F.conv2d(
                *(x, weights[f"{layer}.weight"], weights[f"{layer}.bias"]),
                *(conv.stride, conv.padding[:2], conv.dilation, conv.groups),
            ).relu()
    weight, bias = (weights[f"head.classifier.{part}"] for part in ("weight", "bias"))
    expected = F.linear(x.mean((2, 3)), weight, bias).numpy()
    logits = run(twin, images)
    assert logits.shape == (3, 7)
    assert np.abs(logits).max() > 1e-3, "the values vanished"
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_every_convolution_of_the_int8_twin_is_quantised(twin: onnx.ModelProto) -> None:
    quantised = int8_twin(twin, random_images(4, SHAPE).images)
    nodes = quantised.graph.node
    makers = {value: node.op_type for node in nodes for value in node.output}
    readers = {value: node.op_type for node in nodes for value in node.input}
    layers = [node for node in nodes if node.op_type in ("Conv", "Gemm")]
    assert len(layers) == 28
    for node in layers:
        assert [makers[value] for value in node.input] == ["DequantizeLinear"] * 3, node.name
        assert readers[node.output[0]] == "QuantizeLinear", node.name
    assert not [node for node in nodes if node.op_type == "Relu"], "a ReLU is left by itself"

    images = random_images(6, SHAPE, seed=1).images
    expected, logits = run(twin, images), run(quantised, images)
    correlation = np.corrcoef(expected.ravel(), logits.ravel())[0, 1]
    assert correlation > 0.95


def test_onnx_runtime_runs_the_int8_twin_in_integers(twin: onnx.ModelProto, tmp_path: Path) -> None:
    """What is left in float would be unfair to it."""
    quantised = int8_twin(twin, random_images(2, SHAPE).images)
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 4
    ort.InferenceSession(quantised.SerializeToString(), options, providers=["CPUExecutionProvider"])
    operators = [node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node]
    assert operators.count("QLinearConv") == 27
    assert operators.count("QGemm") == 1
    assert operators.count("QuantizeLinear") == operators.count("DequantizeLinear") == 1


def test_a_fixed_batch_stays_one(exported: Path) -> None:
    model = load_model(exported)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 3
    twin = float_twin(model, exported)
    quantised = int8_twin(twin, random_images(4, SHAPE).images)
    for model in (twin, quantised):
        assert run(model, random_images(3, SHAPE).images).shape == (3, 7)


def test_a_network_without_a_twin_is_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "tiny.onnx"
    bdnet_export.export(tiny_network(), path, input_shape=TINY_SHAPE)
    with pytest.raises(InputError, match="holds a BDNet, which has no float twin"):
        float_twin(load_model(path), path)


def test_a_file_of_somebody_elses_has_no_twin(tmp_path: Path) -> None:
    path = plain_models.write(plain_models.conv_relu(), tmp_path / "plain.onnx")
    with pytest.raises(InputError, match="has no bdnet metadata"):
        float_twin(load_model(path), path)
