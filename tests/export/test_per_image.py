"""Files of several images: they go through the binary body one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

import bdnet
import bdnet_export
import bdnet_runtime
from bdnet import BDNet
from bdnet_export.model_file import file_digest, load_model, with_outputs
from bdnet_export.per_image import image_loop, loop_body
from bdnet_runtime.profile import read_profile
from support.networks import TINY_SHAPE, small_mobilenet, tiny_network
from support.operator_cases import assert_equal

SHAPE = (1, 28, 28)


@pytest.fixture(scope="module")
def network() -> BDNet:
    return small_mobilenet(seed=7)


@pytest.fixture(scope="module", params=[True, False], ids=["fused", "unfused"])
def exported(request: Any, network: BDNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("per_image") / "m.onnx"
    bdnet_export.export(network, path, input_shape=SHAPE, fuse=request.param)
    return path


def images(count: int, shape: tuple[int, ...] = SHAPE) -> Any:
    return np.random.default_rng(7).standard_normal((count, *shape)).astype(np.float32)


def test_the_loop_holds_the_body_and_nothing_else(exported: Path, network: BDNet) -> None:
    model = load_model(exported)
    loop = image_loop(model)
    assert loop is not None
    body = loop_body(loop)
    features = bdnet.deploy(network).layers()[-1]
    assert [value.name for value in body.input] == ["image[i]"]
    assert [value.name for value in body.output] == [f"{features}[i]"]
    assert {tensor.name for tensor in model.graph.initializer} == {
        "head.classifier.weight",
        "head.classifier.bias",
    }
    assert file_digest(model) == bdnet.deploy(network).digest()


@pytest.mark.parametrize("use_library", [True, False], ids=["library", "bodies"])
@pytest.mark.parametrize("count", [1, 3])
def test_several_images_are_as_each_alone(
    count: int, use_library: bool, exported: Path, network: BDNet
) -> None:
    features = bdnet.deploy(network).layers()[-1]
    model = with_outputs(load_model(exported), [features])
    session = bdnet_runtime.create_session(model, threads=2, use_library=use_library)
    x = images(count)
    (together,) = session.run([features], {"image": x})
    alone = [session.run([features], {"image": x[i : i + 1]})[0] for i in range(count)]
    assert_equal(np.concatenate(alone), together, "one by one")
    with torch.no_grad():
        expected = bdnet.deploy(network).features(torch.from_numpy(x)).numpy()
    assert_equal(expected, together, "PyTorch")


def test_onnx_runtime_refuses_a_batch_of_no_images(exported: Path) -> None:
    """Its Scan does. A session that has refused one goes on to work."""
    session = bdnet_runtime.create_session(exported)
    with pytest.raises(Exception, match="images/Scan"):
        session.run(None, {"image": images(0)})
    (logits,) = session.run(None, {"image": images(1)})
    assert logits.shape[0] == 1


@pytest.mark.parametrize(("batch", "loops"), [(1, False), (2, True)])
def test_a_file_of_one_image_needs_no_loop(batch: int, loops: bool, tmp_path: Path) -> None:
    network, path = tiny_network(), tmp_path / "m.onnx"
    bdnet_export.export(network, path, input_shape=TINY_SHAPE, dynamic_batch=False, batch=batch)
    model = load_model(path)
    assert (image_loop(model) is not None) == loops
    onnx.checker.check_model(model, full_check=True)
    features = bdnet.deploy(network).layers()[-1]
    session = bdnet_runtime.create_session(with_outputs(model, [features]))
    x = images(batch, TINY_SHAPE)
    with torch.no_grad():
        expected = bdnet.deploy(network).features(torch.from_numpy(x)).numpy()
    assert_equal(expected, session.run([features], {"image": x})[0], f"batch {batch}")


def test_a_profile_shows_the_layers(exported: Path, tmp_path: Path) -> None:
    session = bdnet_runtime.create_session(exported, profile_prefix=str(tmp_path / "profile"))
    session.run(None, {"image": images(3)})
    profile = read_profile(Path(session.end_profiling()), skip=0)
    names = [layer.name for layer in profile.layers]
    assert len(names) == len(set(names))
    assert any(name.startswith("body.0") for name in names)
    assert "images/Scan" not in names
