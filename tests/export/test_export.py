"""Exported files: valid, self-contained, private to nobody, and the network bit for bit."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

import bdnet
import bdnet_export
import bdnet_runtime
from bdnet import InputError
from bdnet.layers import BinaryConv2d, TernaryConv2d
from bdnet_export.model_file import file_digest, load_model, with_outputs
from bdnet_export.per_image import constants, nodes
from support.networks import TINY_SHAPE, tiny_network
from support.operator_cases import assert_equal

CONFIGURATIONS: list[dict[str, Any]] = [
    {},
    {"residual": "post_bn", "activation": "prelu", "depthwise": BinaryConv2d, "pad_value": 1},
    {"residual": "none", "activation": "relu", "pointwise": TernaryConv2d, "pad_value": -1},
    {"activation": "none", "learned_shift": False, "scale": False},
]


def images(batch: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal((batch, *TINY_SHAPE)).astype(np.float32)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "tiny.onnx"
    bdnet_export.export(tiny_network(), path, input_shape=TINY_SHAPE)
    return path


@pytest.fixture(scope="module")
def unfused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "unfused.onnx"
    bdnet_export.export(tiny_network(), path, input_shape=TINY_SHAPE, fuse=False)
    return path


@pytest.mark.parametrize("fuse", [True, False], ids=["fused", "unfused"])
@pytest.mark.parametrize("config", CONFIGURATIONS, ids=str)
def test_every_layer_is_equal(config: dict[str, Any], fuse: bool, tmp_path: Path) -> None:
    network = tiny_network(seed=3, **config)
    path = tmp_path / "m.onnx"
    bdnet_export.export(network, path, input_shape=TINY_SHAPE, fuse=fuse)
    model = load_model(path)
    onnx.checker.check_model(model, full_check=True)
    deployed = bdnet.deploy(network)
    layers = [layer for layer in deployed.layers() if not fuse or not layer.endswith(".depthwise")]
    assert layers == list(bdnet_export.metadata.read_metadata(model, path).layers)
    expected: dict[str, torch.Tensor] = {}
    for layer in layers:
        deployed.get_submodule(layer).register_forward_hook(
            lambda module, args, output, layer=layer: expected.update({layer: output})
        )
    x = images(3)
    with torch.no_grad():
        logits = deployed(torch.from_numpy(x)).numpy()
    extended = onnx.load_from_string(with_outputs(model, layers))
    inferred = onnx.shape_inference.infer_shapes(extended, strict_mode=True)
    shapes = {
        v.name: [d.dim_value for d in v.type.tensor_type.shape.dim][1:]
        for v in inferred.graph.output
    }
    for use_library in (True, False):
        session = bdnet_runtime.create_session(
            with_outputs(model, layers), threads=2, use_library=use_library
        )
        got = session.run(["logits", *layers], {"image": x})
        for layer, values in zip(layers, got[1:], strict=True):
            assert_equal(expected[layer].numpy(), values, f"{layer} library={use_library}")
            assert shapes[layer] == list(values.shape[1:]), f"inferred shape of {layer}"
        np.testing.assert_allclose(got[0], logits, rtol=0, atol=1e-5 * np.abs(logits).max())


@pytest.mark.parametrize("hash_seed", ["1", "2", "3"])
def test_every_process_exports_the_same_bytes(
    hash_seed: str, exported: Path, unfused: Path, tmp_path: Path
) -> None:
    code = (
        "import bdnet_export; from support.networks import TINY_SHAPE, tiny_network\n"
        "for name, fuse in (('other-name.onnx', True), ('another.onnx', False)):\n"
        "    bdnet_export.export(tiny_network(), name, input_shape=TINY_SHAPE, fuse=fuse)"
    )
    # The order of Python's sets depends on this seed.
    variables = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=variables, check=True)
    assert (tmp_path / "other-name.onnx").read_bytes() == exported.read_bytes()
    assert (tmp_path / "another.onnx").read_bytes() == unfused.read_bytes()


def test_constants_that_happen_to_be_equal_stay_apart(tmp_path: Path) -> None:
    torch.manual_seed(0)
    fresh = bdnet.BDMobileNetV1(width=0.1, num_classes=3, in_channels=1).eval()
    path = tmp_path / "m.onnx"
    bdnet_export.export(fresh, path, input_shape=(1, 32, 32))
    model = load_model(path)
    deployed = bdnet.deploy(fresh)
    # A fresh network's shifts are all 0: an optimiser would keep one of them.
    assert {t.name for t in constants(model)} == set(deployed.state_dict())
    assert file_digest(model) == deployed.digest()


def test_the_file_holds_nothing_private(exported: Path) -> None:
    content = exported.read_bytes()
    for secret in (str(Path.cwd()), str(Path(bdnet.__file__).parent), "site-packages", ".py"):
        assert secret.encode() not in content, f"the file mentions {secret!r}"
    user = getpass.getuser()
    assert len(user) < 5 or user.encode() not in content
    assert b"torch" not in content


def test_transposes_stand_only_at_the_edge_of_the_body(exported: Path, unfused: Path) -> None:
    names = [n.name for n in nodes(load_model(unfused)) if n.op_type == "Transpose"]
    assert names == ["stem/Transpose"]
    assert not [n for n in nodes(load_model(exported)) if n.op_type == "Transpose"]


def test_the_metadata_names_network_and_digest(exported: Path) -> None:
    model = load_model(exported)
    metadata = bdnet_export.metadata.read_metadata(model, exported)
    deployed = bdnet.deploy(tiny_network())
    assert metadata.constants_sha256 == deployed.digest() == file_digest(model)
    assert metadata.layers == ("stem", "body.0.pointwise", "body.1.pointwise")
    assert metadata.features == "body.1.pointwise"


def test_the_unfused_file_has_the_same_digest_and_every_layer(unfused: Path) -> None:
    model = load_model(unfused)
    metadata = bdnet_export.metadata.read_metadata(model, unfused)
    deployed = bdnet.deploy(tiny_network())
    assert metadata.constants_sha256 == deployed.digest() == file_digest(model)
    assert metadata.layers == tuple(deployed.layers())


def test_a_fixed_batch_is_fixed(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    bdnet_export.export(tiny_network(), path, input_shape=TINY_SHAPE, dynamic_batch=False, batch=4)
    session = bdnet_runtime.create_session(path, threads=1)
    assert session.get_inputs()[0].shape == [4, *TINY_SHAPE]
    assert session.run(None, {"image": images(4)})[0].shape == (4, 5)


def test_without_fallback_only_the_library_runs_it(exported: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    result = bdnet_export.export(tiny_network(), path, input_shape=TINY_SHAPE, fallback=False)
    assert result.bytes == path.stat().st_size < exported.stat().st_size
    x = images(2)
    with_bodies = bdnet_runtime.create_session(exported, threads=1).run(None, {"image": x})[0]
    assert_equal(
        with_bodies,
        bdnet_runtime.create_session(path, threads=1).run(None, {"image": x})[0],
        "logits",
    )
    with pytest.raises(bdnet_runtime.InputError):
        bdnet_runtime.create_session(path, threads=1, use_library=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_shape": (3, 11, 9)}, "stem reads 2 channels"),
        ({"input_shape": (2, 11)}, "channels, height and width"),
        ({"input_shape": (2, 0, 9)}, "positive lengths"),
        ({"opset": 17}, "choose one from 18 to 23"),
        ({"batch": 0}, "positive number"),
    ],
)
def test_bad_arguments_are_told_in_a_sentence(
    arguments: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        bdnet_export.export(
            tiny_network(), tmp_path / "m.onnx", **{"input_shape": TINY_SHAPE} | arguments
        )
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_told_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no folder"):
        bdnet_export.export(tiny_network(), tmp_path / "no" / "m.onnx", input_shape=TINY_SHAPE)
