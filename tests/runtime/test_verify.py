"""Verification as a board does it: a process, a file and a reference, without torch."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from bdnet_runtime import create_session
from bdnet_runtime.region_reference import RegionBatch, RegionReference
from bdnet_runtime.verification import FLOAT_LOGITS, INT8_LOGITS, Reference, layer_report
from bdnet_runtime.verify import VerifyOptions
from support import plain_models
from support.result_schemas import load_valid


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Its first output stands for logits, its second for features."""
    made = plain_models.conv_relu()
    made.graph.node.append(onnx.helper.make_node("Flatten", ["y"], ["logits"]))
    made.graph.output.insert(
        0, onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, None)
    )
    return plain_models.write(made, tmp_path / "model.onnx")


def reference_of(model: Path, count: int = 6) -> Reference:
    session = create_session(model, use_library=False)
    shape = [1 if not isinstance(n, int) else n for n in session.get_inputs()[0].shape[1:]]
    x = np.random.default_rng(3).standard_normal((count, *shape)).astype(np.float32)
    logits, y = session.run(None, {session.get_inputs()[0].name: x})
    return Reference(x, logits, {"y": y})


def run(model: Path, reference: Reference | RegionReference, folder: Path) -> tuple[int, str, Any]:
    saved = folder / "reference.npz"
    reference.save(saved)
    command = VerifyOptions(use_library=False).command(sys.executable, str(model), str(saved))
    done = subprocess.run(command, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    if done.returncode != 0:
        return done.returncode, done.stderr, None
    return done.returncode, done.stderr, load_valid("verify", lines[-1])


def test_equal_is_equal(model: Path, tmp_path: Path) -> None:
    reference = reference_of(model)
    status, errors, result = run(model, reference, tmp_path)
    assert status == 0, errors
    (name,) = reference.values
    assert (result["event"], result["schema"], result["passed"]) == ("result", 1, True)
    assert (result["different"], result["values"]) == (0, reference.values[name].size)
    assert result["first_difference"] is None


def test_logits_go_by_the_rule_of_their_reference(model: Path, tmp_path: Path) -> None:
    """An int8 classifier may be off by more than a float one, and by that only."""
    reference = reference_of(model)
    for factor, rule, passes in (
        (1.01, FLOAT_LOGITS, False),
        (1.01, INT8_LOGITS, True),
        (1.1, INT8_LOGITS, False),
    ):
        logits = reference.logits * np.float32(factor)
        altered = Reference(reference.images, logits, reference.values, rule)
        status, errors, result = run(model, altered, tmp_path)
        assert status == 0, errors
        assert (result["passed"], result["different"]) == (passes, 0)
        assert result["logits"]["tolerance"] == rule.tolerance
        assert result["logits"]["other_class"] == 0


@pytest.mark.parametrize("image", [0, 5])
def test_one_bit_is_found(image: int, model: Path, tmp_path: Path) -> None:
    reference = reference_of(model)
    (name,) = reference.values
    changed = reference.values[name].copy()
    where = (image, *(length - 1 for length in changed.shape[1:]))
    changed[where] = np.nextafter(changed[where], np.float32(np.inf))
    altered = Reference(reference.images, reference.logits, {name: changed})
    status, errors, result = run(model, altered, tmp_path)
    assert status == 0, errors
    assert (result["passed"], result["different"], result["failing_image"]) == (False, 1, image)
    assert result["first_difference"] == name
    assert result["layers"][0]["first_image"] == image
    assert f"differ on image {image}" in result["layers"][0]["first"]


def test_a_value_that_the_file_does_not_put_out(model: Path, tmp_path: Path) -> None:
    reference = reference_of(model)
    other = Reference(reference.images, reference.logits, {"body.0": reference.logits})
    status, errors, _ = run(model, other, tmp_path)
    assert status == 2
    assert "does not put out 'body.0', which the reference has" in errors
    assert len(errors.splitlines()) == 1


def test_what_is_no_reference(model: Path, tmp_path: Path) -> None:
    junk = tmp_path / "junk.npz"
    junk.write_bytes(b"junk")
    command = VerifyOptions().command(sys.executable, str(model), str(junk))
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "is no reference to compare with" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def regions_of(model: Path) -> RegionReference:
    """The model as a cut file: its features a binary region's, its logits a float region's."""
    whole = reference_of(model)
    feed = create_session(model, use_library=False).get_inputs()[0].name
    batches = [
        RegionBatch(count, {feed: whole.images[a:b]}, {"y": whole.values["y"][a:b], "logits": z})
        for count, a, b in ((3, 0, 3), (2, 3, 6))  # the last image of the second fills it up
        for z in (whole.logits[a:b],)
    ]
    return RegionReference({"y": None, "logits": 1e-5}, batches)


def test_regions_that_are_equal(model: Path, tmp_path: Path) -> None:
    reference = regions_of(model)
    status, errors, result = run(model, reference, tmp_path)
    assert status == 0, errors
    assert (result["passed"], result["images"], result["first_difference"]) == (True, 5, None)
    assert result["values"] == sum(b.outputs["y"][: b.count].size for b in reference.batches)
    exact, tolerated = result["layers"]
    assert (exact["name"], "tolerance" in exact) == ("y", False)
    assert (tolerated["name"], tolerated["tolerance"]) == ("logits", 1e-5)
    assert tolerated["error"] <= 1e-6


@pytest.mark.parametrize(
    ("output", "image", "factor", "different"),
    [
        ("y", 4, 1 + 2e-7, 1),
        ("y", 5, 2.0, 0),  # fills the batch up
        ("logits", 4, 1 + 5e-6, 0),  # within the tolerance
        ("logits", 4, 1 + 5e-5, 1),
        ("logits", 0, np.nan, 1),
    ],
)
def test_regions_that_differ(
    output: str, image: int, factor: float, different: int, model: Path, tmp_path: Path
) -> None:
    reference = regions_of(model)
    values = reference.batches[image // 3].outputs[output][image % 3].reshape(-1)
    values[np.argmax(np.abs(values))] *= np.float32(factor)
    status, errors, result = run(model, reference, tmp_path)
    assert status == 0, errors
    assert result["passed"] is (different == 0)
    layer = result["layers"][["y", "logits"].index(output)]
    assert layer["different"] == different
    assert result["different"] == (different if output == "y" else 0)
    assert result["first_difference"] == (output if different else None)
    assert result["failing_image"] == (image if different and output == "y" else None)
    if different:
        assert layer["first"].startswith(f"{output}: 1 of ")
        assert f"differ on image {image}, first at [" in layer["first"]


def test_regions_of_another_file_are_told(model: Path, tmp_path: Path) -> None:
    reference = regions_of(model)
    for change, told in (
        ({"inputs": {"z": reference.batches[0].inputs["x"]}}, "cannot be run"),
        ({"outputs": {n: v[:2] for n, v in reference.batches[0].outputs.items()}}, "of shape"),
    ):
        wrong = replace(reference.batches[0], **change)
        status, errors, _ = run(model, RegionReference(reference.tolerances, [wrong]), tmp_path)
        assert status == 2
        assert told in errors
        assert len(errors.splitlines()) == 1


@pytest.mark.parametrize(
    ("shape", "place"),
    [
        ((), "row 0, column 0, channel 0"),
        ((4,), "row 0, column 0, channel 3"),
        ((2, 4), "row 0, column 1, channel 3"),
        ((3, 2, 4), "row 2, column 1, channel 3"),
        ((3, 2, 2, 4), "row 2, column 3, channel 3"),
    ],
)
def test_a_difference_is_found_in_values_of_any_rank(shape: tuple[int, ...], place: str) -> None:
    expected, got = np.zeros((2, *shape), np.float32), np.zeros((2, *shape), np.float32)
    got[(1, *(length - 1 for length in shape))] = 1
    first = layer_report("layer", expected, got)["first"]
    assert f"1 of {math.prod(shape)} values differ on image 1" in first
    assert place in first
