"""The options of export for any module: bytes, an int8 classifier, names, opsets."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

import bdnet
import bdnet_export
import bdnet_runtime
from bdnet import InputError, Preprocessing
from bdnet.layers import BinaryConv2d
from bdnet.units import SignUnit
from bdnet_export import ValidationReport
from bdnet_export.exporter import OPSETS
from bdnet_export.linears import find_linears
from bdnet_export.metadata import read_metadata
from bdnet_export.model_file import load_model
from bdnet_export.regions import find_regions
from support.altered_files import change_constant
from support.networks import unsettle
from support.operator_cases import assert_equal
from support.two_inputs import SHAPES, scores, two

PREPROCESSING = Preprocessing((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def inputs(count: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Bytes [N, 12, 10, 3] and floats [N, 1, 12, 10]."""
    rng = np.random.default_rng(4)
    image = rng.integers(0, 256, (count, 12, 10, 3), np.uint8)
    return image, rng.standard_normal((count, 1, 12, 10), dtype=np.float32)


def run(path: Path, feeds: dict[str, Any], library: bool = True) -> dict[str, np.ndarray]:
    session = bdnet_runtime.create_session(path, use_library=library)
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With image bytes and an int8 layer, to scores alone."""
    path = tmp_path_factory.mktemp("options") / "scores.onnx"
    options: dict[str, Any] = {"as_bytes": True, "int8_classifier": True}
    bdnet_export.export(scores(), path, input_shape=SHAPES, preprocessing=PREPROCESSING, **options)
    return path


def validated(path: Path) -> ValidationReport:
    model = scores()
    image, depth = inputs()
    floats = torch.from_numpy(PREPROCESSING(image.transpose(0, 3, 1, 2)))
    with torch.no_grad():
        labels = model(floats, torch.from_numpy(depth.copy())).argmax(1).numpy()
    return bdnet_export.validate_module(path, model, inputs(), labels=labels)


def test_validation_covers_bytes_and_int8_and_says_what_it_costs(exported: Path) -> None:
    metadata = read_metadata(load_model(exported), exported)
    assert metadata.as_bytes
    assert metadata.int8 == ("hidden.weight",)
    report = validated(exported)
    assert report.passed, report.checks
    # The normalised image, and the unit in either layout, of each way of running it.
    assert report.values_compared == 2 * 5 * 12 * 10 * (3 + 2 * 20)
    messages = {check.name: check.message for check in report.checks}
    for where in ("with the library", "without the library"):
        assert "0 of 25,800 values of 2 binary regions" in messages[f"regions equal {where}"]
        assert "tolerance 5e-02" in messages[f"int8 classifier {where}"]
        assert "tolerance 1e-05" in messages[f"float regions {where}"]
    assert report.accuracy_pytorch == 1.0
    assert report.accuracy_onnx == report.classifier_agreement is not None


def test_another_int8_layer_or_normalisation_is_found(exported: Path, tmp_path: Path) -> None:
    altered = tmp_path / "altered.onnx"
    change_constant(exported, altered, "hidden.bias", lambda bias: bias.__iadd__(2))
    failed = {check.name for check in validated(altered).checks if not check.passed}
    assert failed >= {
        "constants equal the deployment form's",
        "int8 classifier with the library",
        "int8 classifier without the library",
    }
    model = onnx.load(exported)
    (mean,) = (node for node in model.graph.node if node.name.endswith("/mean/Constant"))
    values = numpy_helper.to_array(mean.attribute[0].t)
    mean.attribute[0].t.CopyFrom(numpy_helper.from_array(np.nextafter(values, np.float32(1))))
    onnx.save(model, altered)
    report = validated(altered)
    assert report.first_difference == "image.bytes/std"


def test_bytes_are_normalised_as_outside(tmp_path: Path) -> None:
    """To the bit in all outputs: behind the normalisation the two files are the same."""
    paths = {}
    for as_bytes in (False, True):
        path = paths[as_bytes] = tmp_path / f"{as_bytes}.onnx"
        bdnet_export.export(
            two(), path, input_shape=SHAPES, preprocessing=PREPROCESSING, as_bytes=as_bytes
        )
    image, depth = inputs()
    outside = PREPROCESSING(image.transpose(0, 3, 1, 2))
    for library in (True, False):
        expected = run(paths[False], {"image": outside, "depth": depth}, library)
        got = run(paths[True], {"image": image, "depth": depth}, library)
        assert list(got) == ["scores", "map"]
        for name, values in expected.items():
            assert_equal(values, got[name], name)


@pytest.mark.parametrize(
    ("shapes", "preprocessing", "says"),
    [
        (SHAPES, None, "an input of bytes needs the mean"),
        (SHAPES, Preprocessing((0.5, 0.5), (1, 1)), "for 2 channels, but the network reads 3"),
        ({"image": (3, 8), "depth": (1, 8)}, PREPROCESSING, "no input is an image"),
        ({"image": (3, 12, 10)}, None, r"Two.forward reads image, depth; shapes given: image; gi"),
        ([(3, 12, 10)] * 3, None, "shapes given: 3; give one for each, such as --input-shape im"),
        ({**SHAPES, "deep": (1, 2)}, None, "reads image, depth; shapes given: image, depth, deep"),
    ],
)
def test_inputs_that_make_no_sense_are_told(
    shapes: Any, preprocessing: Preprocessing | None, says: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=says):
        bdnet_export.export(
            two(),
            tmp_path / "no.onnx",
            input_shape=shapes,
            preprocessing=preprocessing,
            as_bytes=True,
        )
    assert not list(tmp_path.iterdir())


class Pair(NamedTuple):
    left: Tensor
    right: Tensor | None


class Many(nn.Module):
    """Outputs of every kind, and weights that several layers read."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = SignUnit(BinaryConv2d(4, 4, 1))
        self.rows = nn.Linear(36, 40)
        self.square = nn.Linear(40, 40)
        self.table = nn.Parameter(torch.randn(30, 40))
        self.tied = nn.Parameter(torch.randn(40, 40))

    def forward(self, x: Tensor) -> dict[Any, Any]:
        y = self.square(self.square(self.rows(self.mean(x).flatten(2))))
        scores = nn.functional.linear(y.mean(1), self.table)
        tied = nn.functional.linear(y, self.tied) + self.tied.sum()
        return {"a b": scores, "mean": (y, [tied, x]), 3: Pair(y, None), "x": (scores,)}


def test_outputs_are_called_what_the_forward_calls_them_and_int8_keeps_shared_weights(
    tmp_path: Path,
) -> None:
    torch.manual_seed(0)
    model, path = unsettle(Many(), 0), tmp_path / "many.onnx"
    result = bdnet_export.export(model, path, input_shape=(4, 6, 6), int8_classifier=True)
    # "mean" is a layer's, "x" the input's name already.
    names = ("a_b", "mean_1", "mean_2", "mean_3", "3.left", "x_1")
    assert result.outputs == names
    # A weight that is read in another way as well stays.
    metadata = read_metadata(load_model(path), path)
    assert metadata.int8 == ("rows.weight", "square.weight", "table")
    x = np.random.default_rng(0).standard_normal((3, 4, 6, 6), dtype=np.float32)
    got = run(path, {"x": x})
    with torch.no_grad():
        returned = model(torch.from_numpy(x))
    y, (tied, same) = returned["mean"]
    expected = dict(zip(names, (returned["a b"], y, tied, same, y, returned["a b"]), strict=True))
    for name, values in expected.items():
        error = np.abs(got[name] - values.numpy()).max() / np.abs(values.numpy()).max()
        assert error < 5e-2, name


def test_a_weight_of_two_orientations_stays_float() -> None:
    rng = np.random.default_rng(0)
    weight = numpy_helper.from_array(rng.standard_normal((40, 40), dtype=np.float32), "w")
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["a"], "a", transB=1),
        helper.make_node("MatMul", ["a", "w"], ["y"], "y"),
    ]
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", 40]) for n in "xy"]
    model = helper.make_model(helper.make_graph(nodes, "two", values[:1], values[1:], [weight]))
    assert find_linears(model) == {}
    del model.graph.node[0]
    assert [linear.name for linear in find_linears(model).values()] == ["w"]


def test_what_is_inside_of_a_float_operator_is_no_part_of_a_binary_region() -> None:
    """PyTorch has no value for a product inside of its attention, which cannot be compared."""
    sign = {"domain": "ai.bdnet", "channels": 4, "packing_version": 1}
    nodes = [
        helper.make_node("BinaryLinear", ["x", "w"], ["a"], "a", **sign),
        helper.make_node("MatMul", ["a", "m"], ["inside"], "inside"),
        helper.make_node("Add", ["inside", "a"], ["b"], "b"),
        helper.make_node("Relu", ["b"], ["y"], "y"),
    ]
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", 4]) for n in "xy"]
    constants = [
        numpy_helper.from_array(np.zeros((4, 1), np.uint8), "w"),
        numpy_helper.from_array(np.zeros((4, 4), np.float32), "m"),
    ]
    model = helper.make_model(helper.make_graph(nodes, "g", values[:1], values[1:], constants))
    found = {r.name: (r.kind, r.outputs) for r in find_regions(model, ["x", "a", "b", "y"])}
    assert found == {"a": ("exact", ("a",)), "inside": ("float", ("b",))}


class Bytes(nn.Module):
    """Binary from the image to the map, whose bits can be compared; then a Linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.unit = SignUnit(BinaryConv2d(3, 40, 3, 2, 1), residual="none")
        self.act = nn.PReLU(40)
        self.last = nn.Linear(40, 30)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        x = self.act(self.unit(image) - 0.25)
        return x, self.last(x.mean((2, 3)))


@pytest.mark.parametrize("opset", OPSETS)
def test_every_opset_with_every_option(opset: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, path = unsettle(Bytes(), 0), tmp_path / "m.onnx"
    bdnet_export.export(
        model,
        path,
        input_shape=(3, 8, 8),
        opset=opset,
        preprocessing=PREPROCESSING,
        as_bytes=True,
        dynamic_size=True,
        int8_classifier=True,
    )
    assert {entry.domain: entry.version for entry in load_model(path).opset_import}[""] == opset
    image = inputs()[0]
    with torch.no_grad():
        floats = torch.from_numpy(PREPROCESSING(image.transpose(0, 3, 1, 2)))
        features, logits = (y.numpy() for y in bdnet.deploy_module(model)(floats))
    for library in (True, False):
        got = run(path, {"image": image}, library)
        assert_equal(features, got["output"], f"opset {opset}, library {library}")
        assert np.abs(got["output_1"] - logits).max() < 5e-2 * np.abs(logits).max()
