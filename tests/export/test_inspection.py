"""Inspection against what is known of the network by other means."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch

import bdnet
import bdnet_export
import bdnet_runtime
from bdnet import InputError
from support.networks import TINY_SHAPE, tiny_network


def _export(folder: Path, fuse: bool) -> Path:
    path = folder / "tiny.onnx"
    bdnet_export.export(tiny_network(), path, input_shape=TINY_SHAPE, fuse=fuse)
    return path


@pytest.fixture(scope="module")
def fused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _export(tmp_path_factory.mktemp("inspection"), True)


@pytest.fixture(scope="module")
def unfused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _export(tmp_path_factory.mktemp("inspection"), False)


@pytest.mark.parametrize("form", ["fused", "unfused"])
def test_bytes_and_work_are_those_of_the_network(form: str, request: pytest.FixtureRequest) -> None:
    found = bdnet_export.inspect(request.getfixturevalue(form))
    constants = bdnet.deploy(tiny_network()).state_dict().values()
    packed = sum(t.numel() for t in constants if t.dtype == torch.uint8)
    assert found.packed_bytes == packed
    assert found.float_bytes == sum(4 * t.numel() for t in constants) - 4 * packed
    count = bdnet.count_ops(tiny_network(), TINY_SHAPE)
    assert found.ops == pytest.approx(count.ops)
    assert sum(layer.binary_ops or 0 for layer in found.layers) == count.bops
    assert sum(layer.flops or 0 for layer in found.layers) == count.flops


def test_fused_blocks_are_layers(fused: Path) -> None:
    found = bdnet_export.inspect(fused)
    stem, block, _, classifier = found.layers
    assert stem.name == "stem/OrderedStem"
    assert stem.input_shape == ("batch", *TINY_SHAPE)
    assert stem.flops == 11 * 9 * 7 * 3 * 3 * 2
    assert block.name == "body.0/SeparableBlock"
    assert block.input_shape == ("batch", 11, 9, 7)
    assert block.output_shape == ("batch", 6, 5, 17)
    assert block.packed_bytes == 2 * 7 * 2 + 17 * 1
    # Two ternary planes of nine taps, then binary filters of seven channels.
    assert block.binary_ops == 6 * 5 * (7 * 2 * 9 + 17 * 7)
    assert block.flops == 0
    assert classifier.name == "head.classifier/Gemm"
    assert found.operators["ai.bdnet.SeparableBlock"] == 2


def test_layers_say_shape_and_place(unfused: Path) -> None:
    found = bdnet_export.inspect(unfused)
    by_name = {layer.name: layer for layer in found.layers}
    layer = by_name["body.0.depthwise.conv/TernaryConv"]
    assert layer.input_shape == ("batch", 11, 9, 7)
    assert layer.output_shape == ("batch", 6, 5, 7)
    assert layer.packed_bytes == 2 * 7 * 2  # two planes of seven filters of nine bits
    assert layer.binary_ops == 2 * 6 * 5 * 7 * 9
    isa = bdnet_runtime.info()["isa"]
    assert layer.where == f"bdnet kernel ({isa}), or its body"
    assert by_name["head.classifier/Gemm"].where == "ONNX Runtime"
    assert found.operators["ai.bdnet.TernaryConv"] == 2
    assert found.inputs == {"image": ("batch", *TINY_SHAPE)}
    assert found.opset == 18


def test_a_model_of_someone_else_is_told(tmp_path: Path) -> None:
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    other = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    path = tmp_path / "relu.onnx"
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([node], "g", [value], [other])), path)
    with pytest.raises(InputError, match="has no bdnet metadata"):
        bdnet_export.inspect(path)
