"""Fusion: every block that bdnet can build becomes one node, and nothing else is taken."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from typing import Any, get_args

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from torch import nn

import bdnet
import bdnet_export
import bdnet_runtime
from bdnet import BDNet
from bdnet.layers import ActivationName, BinaryConv2d, SignConv2d, TernaryConv2d
from bdnet.units import Head, Residual, SeparableBlock, SignUnit, Stem
from bdnet_export.fusion import fuse
from bdnet_export.model_file import file_digest, load_model, with_outputs
from bdnet_export.per_image import nodes
from support.networks import TINY_SHAPE, tiny_network, unsettle
from support.operator_cases import assert_equal

Variant = tuple[Any, ...]

VARIANTS: list[Variant] = list(
    itertools.product(
        get_args(Residual),
        get_args(ActivationName),
        (True, False),  # a learned shift
        (True, False),  # a scale
    )
)


def unit(
    variant: Variant,
    c: int,
    m: int,
    kernel: int,
    kind: type[SignConv2d] = BinaryConv2d,
    **more: Any,
) -> SignUnit:
    residual, activation, shift, scale = variant
    more = {"padding": kernel // 2} | more
    conv = kind(c, m, kernel, learned_shift=shift, scale=scale, **more)
    return SignUnit(conv, residual, activation)


def network(blocks: list[nn.Module], channels: int, seed: int) -> BDNet:
    return unsettle(BDNet(Stem(2, 3, 1), nn.Sequential(*blocks), Head(channels, 5)), seed)


def images(batch: int = 2) -> Any:
    return np.random.default_rng(1).standard_normal((batch, *TINY_SHAPE)).astype(np.float32)


def exported(model: BDNet, path: Path, **more: Any) -> onnx.ModelProto:
    bdnet_export.export(model, path, input_shape=TINY_SHAPE, **more)
    return load_model(path)


def operators(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in nodes(model) if node.domain == "ai.bdnet")


def values(model: onnx.ModelProto, names: list[str], use_library: bool = False) -> list[Any]:
    session = bdnet_runtime.create_session(with_outputs(model, names), use_library=use_library)
    return list(session.run(names, {"image": images()}))


def test_every_variant_of_a_block_becomes_one_node(tmp_path: Path) -> None:
    """One network whose blocks hold each variant of a unit once in each of the two places."""
    seed = 20261
    print("seed", seed)
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    blocks: list[nn.Module] = []
    channels = 3
    for index, other in enumerate(rng.permutation(len(VARIANTS))):
        more: dict[str, Any] = {"groups": channels, "stride": 2 if index in (10, 40) else 1}
        more["pad_value"] = int(rng.integers(-1, 2))
        more["padding"] = [1, (1, 2, 1, 0), (0, 1, 2, 1)][index % 3]
        kinds = rng.choice([BinaryConv2d, TernaryConv2d], 2)
        biases = rng.choice([True, False], 2)
        first = unit(VARIANTS[index], channels, channels, 3, kinds[0], bias=biases[0], **more)
        # Every ninth block has another number of channels behind it, with a shortcut or without.
        wider = [2 * channels, 2 * channels + 1, channels][index % 3] if index % 9 < 3 else channels
        following = wider if channels < 60 else channels
        if channels >= 60 and VARIANTS[other][0] == "none":
            following = 4
        second = unit(VARIANTS[other], channels, following, 1, kinds[1], bias=biases[1])
        blocks.append(SeparableBlock(first, second))
        channels = following
    model = network(blocks, channels, seed)
    fused = exported(model, tmp_path / "fused.onnx")
    assert operators(fused) == {"OrderedStem": 1, "SeparableBlock": len(VARIANTS)}
    assert {node.op_type for node in nodes(fused)} == {
        *("Unsqueeze", "Scan", "Squeeze"),
        *("OrderedStem", "SeparableBlock", "Constant", "Reshape", "ReduceMean", "Gemm"),
    }

    deployed = bdnet.deploy(model)
    assert file_digest(fused) == deployed.digest()
    expected: dict[str, torch.Tensor] = {}
    layers = [layer for layer in deployed.layers() if not layer.endswith(".depthwise")]
    for layer in layers:
        deployed.get_submodule(layer).register_forward_hook(
            lambda module, args, output, layer=layer: expected.update({layer: output})
        )
    with torch.no_grad():
        deployed(torch.from_numpy(images()))
    for use_library in (True, False):
        for layer, got in zip(layers, values(fused, layers, use_library), strict=True):
            assert_equal(expected[layer].numpy(), got, f"{layer}, library={use_library}")


def test_names_are_those_of_the_modules(tmp_path: Path) -> None:
    model = exported(tiny_network(), tmp_path / "m.onnx")
    custom = [node for node in nodes(model) if node.domain == "ai.bdnet"]
    assert [node.name for node in custom] == [
        "stem/OrderedStem",
        "body.0/SeparableBlock",
        "body.1/SeparableBlock",
    ]
    assert [node.output[0] for node in custom] == [
        *("stem", "body.0.pointwise", "body.1.pointwise[i]")
    ]
    assert list(custom[1].input) == ["stem"] + [
        f"body.0.{role}.{name}"
        for role in ("depthwise", "pointwise")
        for name in (
            *("conv.weight", "shift", "scale", "bn_mul", "bn_add"),
            *("activation.shift_in", "activation.slope", "activation.shift_out"),
        )
    ]


def test_what_only_looks_like_a_pair_stays_as_it_is(tmp_path: Path) -> None:
    """And what stands beside them is fused without taking anything of theirs."""
    torch.manual_seed(0)
    plain = ("pre_bn", "rprelu", True, True)
    bare: Variant = ("none", "none", False, False)
    blocks: list[nn.Module] = [
        unit(bare, 3, 6, 3),  # its last step, an addition, looks like the next one's learned shift
        SeparableBlock(unit(bare, 6, 6, 3, groups=6), unit(bare, 6, 6, 1)),
        unit(plain, 6, 6, 3, groups=6),
        unit(plain, 6, 8, 1),  # a point-wise unit behind a depth-wise one, in no block
        SeparableBlock(unit(plain, 8, 8, 3, groups=4), unit(plain, 8, 8, 1)),
        SeparableBlock(unit(plain, 8, 16, 3, groups=8), unit(plain, 16, 16, 1)),
        SeparableBlock(unit(plain, 16, 16, 3, groups=16), unit(plain, 16, 16, 3)),
        SeparableBlock(unit(plain, 16, 16, 3, groups=16), unit(plain, 16, 16, 1, groups=2)),
        SeparableBlock(unit(plain, 16, 16, 3, groups=16), unit(plain, 16, 16, 1, stride=2)),
        SeparableBlock(unit(plain, 16, 16, 3, groups=16), unit(plain, 16, 16, 1)),
    ]
    model = network(blocks, 16, 0)
    fused = exported(model, tmp_path / "m.onnx")
    names = [n.name for n in nodes(fused) if n.op_type == "SeparableBlock"]
    assert names == ["body.1/SeparableBlock", "body.3/SeparableBlock", "body.9/SeparableBlock"]
    features = bdnet.deploy(model).features(torch.from_numpy(images()))
    assert_equal(features.numpy(), values(fused, ["body.9.pointwise"])[0], "features")


@pytest.fixture(scope="module")
def unfused(tmp_path_factory: pytest.TempPathFactory) -> onnx.ModelProto:
    path = tmp_path_factory.mktemp("fusion") / "m.onnx"
    # Of one image, so without a loop over them: fusion comes before it.
    return exported(tiny_network(), path, fuse=False, dynamic_batch=False)


def refused(model: onnx.ModelProto) -> set[str]:
    """The parts of the tiny network that fusion leaves unfused."""
    graph = ir.serde.deserialize_model(model)
    fuse(graph)
    found = {node.name for node in graph.graph if node.domain == "ai.bdnet"}
    every = {"stem/OrderedStem", "body.0/SeparableBlock", "body.1/SeparableBlock"}
    return {name.partition("/")[0] for name in every - found}


def copy_of(model: onnx.ModelProto) -> onnx.ModelProto:
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    return copied


def test_a_file_can_be_fused_later(unfused: onnx.ModelProto) -> None:
    assert refused(unfused) == set()


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("stem/OrderedConv", "stem"),
        ("body.0.depthwise", "body.0"),
        ("body.0.depthwise/Mul", "body.0"),
        ("body.0.depthwise.shortcut/OrderedAveragePool", "body.0"),
        ("body.1.depthwise/Add", "body.1"),
        ("body.1.pointwise.shortcut/Concat", "body.1"),
    ],
)
@pytest.mark.parametrize("use", ["output", "reader"])
def test_a_value_that_is_needed_elsewhere_is_not_taken(
    use: str, value: str, part: str, unfused: onnx.ModelProto
) -> None:
    model = copy_of(unfused)
    graph = model.graph
    name = value
    if use == "reader":
        graph.node.append(onnx.helper.make_node("Neg", [value], ["negative"], name="reader"))
        name = "negative"
    graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    assert refused(model) == {part}


def test_the_fused_operator_ends_where_something_else_reads(unfused: onnx.ModelProto) -> None:
    """The steps behind stay as they are."""
    model = copy_of(unfused)
    value = "body.1.pointwise.activation/Add"
    model.graph.output.append(
        onnx.helper.make_tensor_value_info(value, onnx.TensorProto.FLOAT, None)
    )
    graph = ir.serde.deserialize_model(model)
    fuse(graph)
    made_by = {output.name: node for node in graph.graph for output in node.outputs}
    assert made_by[value].op_type == "SeparableBlock"
    assert made_by["body.1.pointwise"].op_type == "Add"


@pytest.mark.parametrize(
    ("node", "attribute", "value"),
    [
        ("stem/Transpose", "perm", [0, 3, 2, 1]),
        ("body.0.depthwise.conv/TernaryConv", "packing_version", 2),
        ("body.0.depthwise.conv/TernaryConv", "group", 1),
        ("body.0.depthwise.shortcut/OrderedAveragePool", "kernel_shape", [1, 2]),
        ("body.0.pointwise.conv/BinaryConv", "pads", [1, 1, 1, 1]),
        ("body.1.pointwise.shortcut/Concat", "axis", 2),
    ],
)
def test_other_attributes_are_not_taken(
    node: str, attribute: str, value: Any, unfused: onnx.ModelProto
) -> None:
    model = copy_of(unfused)
    (found,) = (n for n in model.graph.node if n.name == node)
    kept = [a for a in found.attribute if a.name != attribute]
    del found.attribute[:]
    found.attribute.extend([*kept, onnx.helper.make_attribute(attribute, value)])
    assert refused(model) == {".".join(node.split("/")[0].split(".")[:2])}


@pytest.mark.parametrize(
    ("node", "place", "other"),
    [
        # Not what the unit reads; a value that is no constant; one constant too long.
        ("body.1.depthwise/Add.2", 1, "body.1.depthwise/Add"),
        ("body.1.depthwise/Mul.2", 1, "stem"),
        ("body.1.pointwise.shortcut/Concat", 1, "body.0.pointwise"),
        ("body.1.pointwise/Mul", 1, "body.0.pointwise.bn_mul"),
        ("stem/Mul", 1, "body.0.pointwise.bn_mul"),
    ],
)
def test_other_inputs_are_not_taken(
    node: str, place: int, other: str, unfused: onnx.ModelProto
) -> None:
    model = copy_of(unfused)
    (found,) = (n for n in model.graph.node if n.name == node)
    found.input[place] = other
    assert ".".join(node.split("/")[0].split(".")[:2]) in refused(model)


@pytest.mark.parametrize(("channels", "kernel"), [(1, 3), (8, 12)], ids=["channels", "taps"])
def test_a_block_beyond_the_operators_limits_stays_as_it_is(
    channels: int, kernel: int, tmp_path: Path
) -> None:
    variant = ("none", "none", True, True)
    block = SeparableBlock(
        unit(variant, channels, channels, kernel, groups=channels), unit(variant, channels, 8, 1)
    )
    net = BDNet(Stem(2, channels, 1), nn.Sequential(block), Head(8, 5))
    path = tmp_path / "m.onnx"
    bdnet_export.export(unsettle(net, 3), path, input_shape=TINY_SHAPE)
    operators = {node.op_type for node in nodes(load_model(path))}
    assert "BinaryConv" in operators
    assert "SeparableBlock" not in operators
    image = {"image": images()}
    with_library, without = (
        bdnet_runtime.create_session(path, use_library=use).run(None, image)[0]
        for use in (True, False)
    )
    np.testing.assert_allclose(with_library, without, rtol=1e-5)
