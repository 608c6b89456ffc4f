"""Classifiers in int8: exact features, the same logits everywhere, a stated cost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

import bdnet
import bdnet_export
import bdnet_runtime
from bdnet import InputError
from bdnet.layers import BinaryConv2d
from bdnet_export import ValidationReport, random_images
from bdnet_export.images import ImageSet
from bdnet_export.int8_linear import quantise_linears
from bdnet_export.metadata import read_metadata
from bdnet_export.model_file import load_model, with_outputs
from support.altered_files import change_constant
from support.int8_models import in_numpy, int8_model, linear_constants, linear_model, rows
from support.networks import TINY_SHAPE, small_mobilenet, tiny_network
from support.operator_cases import assert_equal
from support.ort_environments import installed_version, run_jobs

SHAPE = (1, 16, 16)
IMAGES = random_images(12, SHAPE)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("int8") / "int8.onnx"
    bdnet_export.export(small_mobilenet(), path, input_shape=SHAPE, int8_classifier=True)
    return path


def checks(report: ValidationReport) -> dict[str, bool]:
    return {check.name: check.passed for check in report.checks}


@pytest.mark.parametrize("version", ["1.21.1", "1.23.2", installed_version()])
def test_every_onnx_runtime_computes_the_same_bits(version: str, tmp_path: Path) -> None:
    (weight, bias), x = linear_constants(), rows()
    np.save(tmp_path / "x.npy", x)
    jobs, expected = [], []
    layers = (("gemm", bias, True), ("no-bias", None, True), ("matmul", None, False))
    for name, with_bias, gemm in layers:
        onnx.save(int8_model(weight, with_bias, gemm=gemm), tmp_path / f"{name}.onnx")
        for level in (False, "BASIC", "EXTENDED", True):
            job = {
                "model": str(tmp_path / f"{name}.onnx"),
                "input": str(tmp_path / "x.npy"),
                "output": str(tmp_path / f"{name}-{level}.npz"),
                "optimise": level,
                "library": None,
            }
            jobs.append(job)
            expected.append(in_numpy(weight, with_bias, x))
    results = run_jobs(version, jobs, tmp_path)
    for job, result, values in zip(jobs, results, expected, strict=True):
        assert result["error"] is None, result["error"]
        with np.load(str(job["output"])) as outputs:
            assert_equal(values, outputs["arr_0"], f"ORT {version}, {job['output']}")


def test_it_is_near_the_float_layer() -> None:
    (weight, bias), x = linear_constants(), rows()
    wanted = x.astype(np.float64) @ weight.T.astype(np.float64) + bias
    error = np.abs(in_numpy(weight, bias, x) - wanted).max(axis=1) / np.abs(wanted).max(axis=1)
    assert error.max() < 0.02


def test_validation_says_what_it_costs(exported: Path) -> None:
    network = small_mobilenet()
    with torch.no_grad():
        labels = network(torch.from_numpy(IMAGES.images)).argmax(1).numpy()
    report = bdnet_export.validate(exported, network, ImageSet(IMAGES.images, labels, "noise"))
    assert report.passed, report.checks
    assert report.values_different == 0
    names = checks(report)
    assert {"int8 classifier with the library", "int8 classifier without the library"} <= set(names)
    assert not [name for name in names if name.startswith("logits")]
    assert 1e-5 < report.max_logit_error < 5e-2
    assert report.accuracy_pytorch == 1.0
    assert report.accuracy_onnx == report.classifier_agreement is not None
    (message,) = {c.message for c in report.checks if c.name.startswith("int8 classifier with the")}
    assert "tolerance 5e-02; top class the float classifier's on" in message


def test_an_image_has_the_same_logits_whatever_it_comes_with(exported: Path) -> None:
    session = bdnet_runtime.create_session(exported)
    scales = 3.0 ** np.arange(-6, 6).reshape(-1, 1, 1, 1)
    images = (IMAGES.images * scales).astype(np.float32)
    together = session.run(None, {"image": images})[0]
    for index, image in enumerate(images):
        (alone,) = session.run(None, {"image": image[None]})
        assert_equal(alone[0], together[index], f"image {index}")


def test_features_are_equal_and_three_quarters_of_the_classifier_are_gone(
    exported: Path, tmp_path: Path
) -> None:
    network, in_float = small_mobilenet(), tmp_path / "float.onnx"
    result = bdnet_export.export(network, in_float, input_shape=SHAPE)
    model = load_model(exported)
    metadata = read_metadata(model, exported)
    assert metadata.int8 == ("head.classifier.weight",)
    session = bdnet_runtime.create_session(with_outputs(model, [metadata.features]))
    (got,) = session.run([metadata.features], {"image": IMAGES.images})
    with torch.no_grad():
        expected = bdnet.deploy(network).features(torch.from_numpy(IMAGES.images)).numpy()
    assert_equal(expected, got, "features")
    shown = bdnet_export.inspect(exported)
    assert shown.int8_bytes == 256 * 10
    assert shown.packed_bytes == bdnet_export.inspect(in_float).packed_bytes
    assert shown.float_bytes < bdnet_export.inspect(in_float).float_bytes - 4 * 256 * 10 + 200
    assert exported.stat().st_size < result.bytes


@pytest.mark.parametrize(
    ("constant", "failing"),
    [
        ("head.classifier.bias", "int8 classifier with the library"),
        ("head.classifier.weight", "constants equal the deployment form's"),
    ],
)
def test_another_classifier_is_found(
    constant: str, failing: str, exported: Path, tmp_path: Path
) -> None:
    def change(array: np.ndarray) -> None:
        array.reshape(-1)[:1] += np.asarray(2, array.dtype)

    altered = change_constant(exported, tmp_path / "altered.onnx", constant, change)
    report = bdnet_export.validate(altered, small_mobilenet(), IMAGES)
    found = checks(report)
    assert not found[failing]
    assert found["features equal with the library"]
    assert found["file unchanged since export"], "the digest was mended"


def test_a_layer_before_a_sign_stays_float() -> None:
    weight, bias = linear_constants()
    model = linear_model(weight, bias)
    model.graph.node[0].output[0] = "t"
    attributes = {"kernel_shape": [1, 1]}
    model.graph.node.append(
        helper.make_node("OrderedAveragePool", ["t"], ["y"], domain="ai.bdnet", **attributes)
    )
    before = model.SerializeToString()
    with pytest.raises(InputError, match="no Linear layer of at least 1,024 weights behind its la"):
        quantise_linears(model)
    assert model.SerializeToString() == before


@pytest.mark.parametrize("attribute", [{"alpha": 0.5}, {"beta": 2.0}, {"transA": 1}])
def test_a_product_of_another_kind_stays_float(attribute: dict[str, float]) -> None:
    model = linear_model(*linear_constants())
    model.graph.node[0].attribute.extend(
        helper.make_attribute(name, value) for name, value in attribute.items()
    )
    with pytest.raises(InputError, match="no Linear layer"):
        quantise_linears(model)
    assert model.graph.initializer[0].data_type == TensorProto.FLOAT


def test_what_has_nothing_to_quantise_is_told(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Conv2d(1, 4, 3), BinaryConv2d(4, 4, 3)).eval()
    for network, shape, says in (
        (tiny_network(), TINY_SHAPE, "no Linear layer of at least 1,024 weights"),
        (module, (1, 8, 8), "no Linear layer of at least 1,024 weights"),
    ):
        with pytest.raises(InputError, match=says):
            bdnet_export.export(
                network, tmp_path / "m.onnx", input_shape=shape, int8_classifier=True
            )
    assert list(tmp_path.iterdir()) == []
