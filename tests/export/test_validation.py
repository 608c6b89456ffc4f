"""Validation finds what is wrong with a file, and by computing."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import bdnet_export
from bdnet import InputError
from bdnet_export import ValidationReport, random_images
from bdnet_export.images import ImageSet
from bdnet_export.model_file import load_model
from bdnet_export.per_image import constants
from support.altered_files import change_constant
from support.networks import TINY_SHAPE, tiny_network

IMAGES = random_images(20, TINY_SHAPE)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("validation") / "tiny.onnx"
    bdnet_export.export(tiny_network(), path, input_shape=TINY_SHAPE)
    return path


@pytest.fixture(scope="module")
def unfused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("validation") / "unfused.onnx"
    bdnet_export.export(tiny_network(), path, input_shape=TINY_SHAPE, fuse=False)
    return path


def alter(
    path: Path, folder: Path, name: str, change: Callable[[np.ndarray], None], *, mend: bool = True
) -> Path:
    return change_constant(path, folder / "altered.onnx", name, change, mend=mend)


def failed(report: ValidationReport) -> set[str]:
    return {check.name for check in report.checks if not check.passed}


@pytest.mark.parametrize("form", ["exported", "unfused"])
def test_an_exported_file_passes(form: str, request: pytest.FixtureRequest) -> None:
    exported = request.getfixturevalue(form)
    labels = np.zeros(len(IMAGES.images), np.int64)
    seen = []
    report = bdnet_export.validate(
        exported,
        tiny_network(),
        ImageSet(IMAGES.images, labels, "noise"),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert report.passed, report.checks
    assert report.first_difference is None
    # 6 x 5 pixels of 34 channels leave the body; with the library and without.
    assert report.values_compared == 2 * 20 * 6 * 5 * 34
    assert report.values_different == 0
    assert report.accuracy_onnx == report.accuracy_pytorch is not None
    assert seen[-1] == (20, 20)
    assert len(report.checks) == 8


@pytest.mark.parametrize(
    ("form", "unit", "found"),
    [
        ("unfused", "body.0.depthwise", "body.0.depthwise"),
        ("unfused", "body.0.pointwise", "body.0.pointwise"),
        ("unfused", "body.1.pointwise", "body.1.pointwise"),
        # Inside a fused block there is no value to compare.
        ("exported", "body.0.depthwise", "body.0"),
        ("exported", "body.0.pointwise", "body.0"),
        ("exported", "body.1.depthwise", "body.1"),
    ],
)
def test_one_flipped_weight_bit_is_found(
    form: str, unit: str, found: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    def flip(array: np.ndarray) -> None:
        array.reshape(-1)[0] ^= 1  # the first bit of the first filter: never a tail bit

    altered = alter(request.getfixturevalue(form), tmp_path, f"{unit}.conv.weight", flip)
    report = bdnet_export.validate(altered, tiny_network(), IMAGES)
    assert not report.passed
    assert report.first_difference == found
    assert "features equal with the library" in failed(report)
    assert "features equal without the library" in failed(report)
    assert "file unchanged since export" not in failed(report), "the digest was mended"
    (shown,) = (c.message for c in report.checks if c.name.startswith("first difference"))
    assert shown.startswith(f"{found}: ")
    assert "expected" in shown
    assert shown.endswith("; its two units are fused") == (form == "exported")


@pytest.mark.parametrize(
    ("form", "constant", "found"),
    [
        ("unfused", "body.0.pointwise.bn_add", "body.0.pointwise"),
        ("exported", "body.0.pointwise.bn_add", "body.0"),
        ("exported", "stem.bn_add", "stem"),
    ],
)
def test_a_constant_one_ulp_off_is_found(
    form: str, constant: str, found: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    def nudge(array: np.ndarray) -> None:
        array[:] = np.nextafter(array, np.float32(np.inf))

    altered = alter(request.getfixturevalue(form), tmp_path, constant, nudge)
    report = bdnet_export.validate(altered, tiny_network(), IMAGES)
    assert report.first_difference == found


def test_a_change_that_no_image_shows_fails_by_its_digest(exported: Path, tmp_path: Path) -> None:
    def set_tail(array: np.ndarray) -> None:
        array.reshape(-1)[-1] ^= 0x80  # the last bit of a 34-filter, 17-channel weight: a tail bit

    altered = alter(exported, tmp_path, "body.1.pointwise.conv.weight", set_tail, mend=False)
    report = bdnet_export.validate(altered, tiny_network(), IMAGES)
    assert report.first_difference is None
    assert failed(report) == {
        "file unchanged since export",
        "constants equal the deployment form's",
    }


def test_a_classifier_outside_the_tolerance_fails(exported: Path, tmp_path: Path) -> None:
    def shift(array: np.ndarray) -> None:
        array += np.float32(0.01)

    altered = alter(exported, tmp_path, "head.classifier.bias", shift)
    report = bdnet_export.validate(altered, tiny_network(), IMAGES)
    assert report.values_different == 0
    assert report.first_difference == "head"
    assert {"logits with the library", "logits without the library"} <= failed(report)


def test_a_body_that_is_not_the_specification_fails(exported: Path, tmp_path: Path) -> None:
    model = load_model(exported)
    (body,) = (f for f in model.functions if f.name == "SeparableBlock")
    node = next(n for n in body.node if n.op_type == "GreaterOrEqual")
    node.op_type = "Greater"  # another sign(0), which noise hardly ever shows
    altered = tmp_path / "altered.onnx"
    onnx.save(model, altered)
    report = bdnet_export.validate(altered, tiny_network(), IMAGES)
    assert failed(report) == {"operator bodies are the specification's"}


def test_a_damaged_constant_is_told(exported: Path, tmp_path: Path) -> None:
    model = load_model(exported)
    (tensor,) = (t for t in constants(model) if t.name == "stem.weight")
    tensor.raw_data = tensor.raw_data[:-1]
    altered = tmp_path / "altered.onnx"
    onnx.save(model, altered)
    with pytest.raises(InputError, match=r"constant stem.weight of the file is damaged"):
        bdnet_export.validate(altered, tiny_network(), IMAGES)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.full((2, *TINY_SHAPE), np.nan, np.float32), "not finite"),
        (np.zeros((0, *TINY_SHAPE), np.float32), "no images"),
    ],
)
def test_images_that_show_nothing_are_told(
    images: np.ndarray, message: str, exported: Path
) -> None:
    with pytest.raises(InputError, match=message):
        bdnet_export.validate(exported, tiny_network(), ImageSet(images, None, "images"))


def test_another_training_of_the_same_network_fails(exported: Path) -> None:
    report = bdnet_export.validate(exported, tiny_network(seed=1), IMAGES)
    assert report.first_difference == "stem"
    assert "constants equal the deployment form's" in failed(report)


def test_a_network_whose_deployment_differs_from_its_training_fails(exported: Path) -> None:
    network = tiny_network()
    hooked = copy.deepcopy(network)
    # It behaves otherwise in training than what its parameters say. A layer that does is refused.
    hooked.register_forward_pre_hook(lambda module, args: (-args[0],))
    report = bdnet_export.validate(exported, hooked, IMAGES)
    assert failed(report) == {"trained network agrees with its deployment form"}


@pytest.mark.parametrize("form", ["exported", "unfused"])
def test_a_network_of_another_architecture_is_told(
    form: str, request: pytest.FixtureRequest
) -> None:
    network = tiny_network()
    network.body.append(copy.deepcopy(network.body[1].pointwise))
    with pytest.raises(InputError, match=r"with 5 layers.* with 6 layers"):
        bdnet_export.validate(request.getfixturevalue(form), network, IMAGES)


def test_validation_leaves_the_network_in_its_mode(exported: Path) -> None:
    network = tiny_network().train()
    before = copy.deepcopy(network.state_dict())
    bdnet_export.validate(exported, network, IMAGES)
    assert network.training
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


def test_a_fixed_batch_that_does_not_divide_the_images(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    bdnet_export.export(
        tiny_network(), path, input_shape=TINY_SHAPE, dynamic_batch=False, batch=8, fallback=False
    )
    report = bdnet_export.validate(path, tiny_network(), IMAGES)
    assert report.passed
    assert report.values_compared == 20 * 6 * 5 * 34
    assert len(report.notes) == 1


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x0a"])
def test_a_file_that_is_no_model_is_told(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is not an ONNX model"):
        bdnet_export.validate(path, tiny_network(), IMAGES)


def test_images_of_another_shape_are_told(exported: Path) -> None:
    with pytest.raises(InputError, match=r"reads float32 \[N, 2, 11, 9\]"):
        bdnet_export.validate(exported, tiny_network(), random_images(2, (3, 11, 9)))
