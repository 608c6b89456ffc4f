"""A module on a device: its regions run there, each on what PyTorch gives it.

The device is this machine, as a device; a board is one in tests/test_board_end_to_end.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import bdnet_export
from bdnet import InputError, Preprocessing
from bdnet.layers import BinaryConv2d, BinaryLinear, TernaryConv2d
from bdnet.units import SeparableBlock, SignUnit
from bdnet_devices import LocalDevice
from bdnet_devices.process import EventProcess
from bdnet_export import ValidationReport
from bdnet_export.module_devices import compare_on_devices
from bdnet_export.parity import bench_reference, verify_on_device
from bdnet_export.region_record import RegionQuestion, RegionRecord
from bdnet_export.validation import device_references
from bdnet_runtime.verify import VerifyOptions
from support.altered_files import change_constant
from support.networks import unsettle
from support.result_schemas import require_valid

SHAPE = (3, 12, 10)


class Between(nn.Module):
    """Two binary regions with float layers around them, and one that reads rows."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, 1, 1)
        self.block = SeparableBlock(
            SignUnit(TernaryConv2d(8, 8, 3, 1, 1, groups=8)), SignUnit(BinaryConv2d(8, 8, 1))
        )
        self.between = nn.Conv2d(8, 8, 1)
        self.unit = SignUnit(BinaryConv2d(8, 9, 3, 1, 1), residual="post_bn")
        self.rows = BinaryLinear(9, 6)
        self.last = nn.Linear(6, 4)

    def forward(self, image: Tensor) -> Tensor:
        x = torch.relu(self.block(self.first(image)))
        x = self.unit(torch.tanh(self.between(x))).mean((2, 3))
        return self.last(self.rows(x))


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(4)
    return unsettle(Between(), 4)


@pytest.fixture(scope="module")
def path(model: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("devices") / "between.onnx"
    bdnet_export.export(model, path, input_shape=SHAPE, fuse=False)
    return path


IMAGES = bdnet_export.random_images(6, SHAPE)
HERE = LocalDevice()


def test_every_region_is_equal_there(path: Path, model: nn.Module) -> None:
    report = bdnet_export.validate(path, model, IMAGES, devices=[HERE], layers=True)
    assert report.passed, report.checks
    require_valid("validate", report.to_dict())
    names = {check.name for check in report.checks}
    assert names >= {"regions equal on local", "float regions on local"}
    here, _, there = (
        {layer["name"]: layer["values"] for layer in one.layers} for one in report.layers
    )
    assert here == there
    assert list(here)[:-1] == [  # the last is an output of the file
        *("first", "block.depthwise", "block.pointwise", "the network (Relu)"),
        *("the network (Tanh)", "unit", "unit (NCHW)", "the network (ReduceMean)", "rows"),
    ]


def altered(path: Path, folder: Path, constant: str, change: Callable[[np.ndarray], None]) -> Path:
    return change_constant(path, folder / "altered.onnx", constant, change)


def add(values: np.ndarray) -> None:
    values += np.float32(0.5)


def checks(report: ValidationReport) -> dict[str, bool]:
    return {c.name: c.passed for c in report.checks if c.name.endswith(" on local")}


def test_what_differs_stays_in_its_region(path: Path, model: nn.Module, tmp_path: Path) -> None:
    """An error of a float layer is told as one, and turns no sign behind it."""
    changed = altered(path, tmp_path, "between.bias", add)
    report = bdnet_export.validate(changed, model, IMAGES, devices=[HERE])
    assert checks(report) == {"regions equal on local": True, "float regions on local": False}


def invert(values: np.ndarray) -> None:
    np.invert(values, out=values)


def test_a_layer_that_differs_is_named(path: Path, model: nn.Module, tmp_path: Path) -> None:
    changed = altered(path, tmp_path, "rows.weight", invert)
    report = bdnet_export.validate(changed, model, IMAGES, devices=[HERE])
    assert checks(report)["regions equal on local"] is False
    assert report.first_difference == "rows"


def test_a_bench_verifies_by_regions(path: Path, model: nn.Module, tmp_path: Path) -> None:
    """With PyTorch's values or with those of the file's own operators."""
    changed = altered(path, tmp_path, "unit.conv.weight", invert)
    for given, source in (
        (model, "PyTorch on the workstation"),
        (None, "the standard operators on the workstation"),
    ):
        question, told = bench_reference(path, given)
        assert isinstance(question, RegionQuestion)
        assert told == source
        for use_library in (True, False):
            found = verify_on_device(HERE, path, question, VerifyOptions(use_library=use_library))
            require_valid("verify", found)
            assert (found["passed"], found["different"], found["images"]) == (True, 0, 4)
            assert found["values"] > 0
    # The regions of a changed file, on what the true one computes.
    question = RegionQuestion(
        bench_reference(changed, None)[0].model,  # type: ignore[union-attr]
        bench_reference(path, None)[0].reference,  # type: ignore[union-attr]
    )
    found = verify_on_device(HERE, changed, question, VerifyOptions())
    assert (found["passed"], found["failing_image"]) == (False, 0)
    assert found["first_difference"] == "unit"


def test_a_file_without_bodies_needs_its_source(model: nn.Module, tmp_path: Path) -> None:
    """It has a fixed batch, too, which does not divide the images."""
    path = tmp_path / "two.onnx"
    bdnet_export.export(
        model, path, input_shape=SHAPE, fallback=False, dynamic_batch=False, batch=4
    )
    with pytest.raises(InputError, match=r"has no operator bodies .* give the trained network"):
        bench_reference(path, None)
    report = bdnet_export.validate(path, model, IMAGES, devices=[HERE])
    assert report.passed, report.checks
    (check,) = (c for c in report.checks if c.name == "regions equal on local")
    values = 6 * (8 * 120 + 9 * 120 + 6)
    assert check.message == f"0 of {values:,} values of 3 binary regions differ"


def test_a_dry_run_knows_what_would_be_sent(path: Path, model: nn.Module) -> None:
    questions = device_references(path, model, IMAGES, layers=True)
    batches = [q.reference.batches for q in questions if isinstance(q, RegionQuestion)]
    assert [[batch.count for batch in one] for one in batches] == [[4, 2], [1]]


def test_a_device_that_fails_does_not_lose_what_was_found_here(
    path: Path, model: nn.Module
) -> None:
    class Broken(LocalDevice):
        """Its processes end before they say anything."""

        name = "broken"

        def verify(self, *args: object, **kwargs: object) -> dict[str, Any]:
            with EventProcess(["sh", "-c", "kill -9 $$"]) as process:
                return process.result()

    report = bdnet_export.validate(path, model, IMAGES, devices=[Broken(), HERE])
    assert list(report.device_errors) == ["broken"]
    assert all(check.passed for check in report.checks)
    assert "regions equal on local" in checks(report)


class Two(nn.Module):
    """Two inputs, an output of a binary region, a layer that stands in two places."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = SignUnit(BinaryConv2d(3, 3, 3, 1, 1))
        self.narrow = nn.Conv2d(3, 2, 1)

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        y = self.shared(torch.cat([self.shared(a), self.shared(b)]))
        return y, self.narrow(y)


def test_several_inputs(tmp_path: Path) -> None:
    torch.manual_seed(5)
    model, path = unsettle(Two(), 5), tmp_path / "two.onnx"
    shapes = [(3, 6, 4), (3, 6, 4)]
    bdnet_export.export(model, path, input_shape=shapes)
    inputs = [bdnet_export.random_images(3, shapes[0], seed).images for seed in (0, 1)]
    record = RegionRecord()
    report = bdnet_export.validate_module(path, model, inputs, record=record)
    compare_on_devices([HERE], path, record, report, layers=True)
    assert report.passed, report.checks
    assert "on local" in {one.where for one in report.layers}


def test_bytes_and_an_int8_classifier(tmp_path: Path) -> None:
    """The device normalises; what is rounded on purpose has a tolerance of its own."""
    torch.manual_seed(6)
    head = nn.Sequential(nn.Flatten(), nn.Linear(3 * 120, 64), nn.ReLU(), nn.Linear(64, 10))
    model = unsettle(nn.Sequential(SignUnit(BinaryConv2d(3, 3, 3, 1, 1)), head), 6)
    path = tmp_path / "bytes.onnx"
    preprocessing = Preprocessing((0.4, 0.5, 0.6), (0.2, 0.3, 0.25))
    options: dict[str, Any] = {"as_bytes": True, "int8_classifier": True}
    bdnet_export.export(model, path, input_shape=SHAPE, preprocessing=preprocessing, **options)
    images = bdnet_export.random_images(5, SHAPE, as_bytes=True)
    report = bdnet_export.validate(
        path, model, images, devices=[HERE], layers=True, against_trained=True
    )
    assert report.passed, report.checks
    assert {"regions equal on local", "int8 classifier on local"} <= checks(report).keys()
    assert report.against_trained is not None
    for given in (model, None):
        question, _ = bench_reference(path, given)
        assert verify_on_device(HERE, path, question, VerifyOptions())["passed"]
