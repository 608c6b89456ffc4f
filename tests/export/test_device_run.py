"""A device that computes something else: which layer it is in.

The device is this machine, as a device; a board is one in tests/test_board_end_to_end.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bdnet
import bdnet_export
from bdnet import InputError
from bdnet_devices import LocalDevice
from bdnet_devices.process import EventProcess
from bdnet_export.device_run import DeviceRun
from bdnet_export.metadata import read_metadata
from bdnet_export.model_file import load_model
from bdnet_export.parity import bench_reference
from bdnet_runtime.verify import VerifyOptions
from support.altered_files import change_constant
from support.networks import small_mobilenet

SHAPE = (1, 28, 28)


@pytest.mark.parametrize("layer", ["stem", "body.1.pointwise"])
def test_the_first_layer_that_differs_is_named(layer: str, tmp_path: Path) -> None:
    network = small_mobilenet(seed=9)
    path, changed = tmp_path / "m.onnx", tmp_path / "changed.onnx"
    bdnet_export.export(network, path, input_shape=SHAPE)
    name = "stem.weight" if layer == "stem" else f"{layer}.bn_add"

    def change(values: np.ndarray) -> None:
        values.reshape(-1)[:3] += 1

    change_constant(path, changed, name, change)
    images = np.random.default_rng(9).standard_normal((3, *SHAPE)).astype(np.float32)
    deployed = bdnet.deploy(network)
    run = DeviceRun(LocalDevice(), changed, read_metadata(load_model(changed), changed))
    first, words = run.first_difference(deployed, images[:1])
    assert first == layer
    assert words.startswith(f"{layer}: ")


def test_every_layer_is_compared_on_request(tmp_path: Path) -> None:
    network = small_mobilenet(seed=9)
    path, changed = tmp_path / "m.onnx", tmp_path / "changed.onnx"
    bdnet_export.export(network, path, input_shape=SHAPE)
    images = bdnet_export.random_images(3, SHAPE)
    devices = [LocalDevice()]
    report = bdnet_export.validate(path, network, images, devices=devices, layers=True)
    assert report.passed
    assert "13 depth-wise layers stand inside fused operators" in report.notes[0]
    assert [one.where for one in report.layers] == [
        "with the library",
        "without the library",
        "on local",
    ]
    layers = list(read_metadata(load_model(path), path).layers)
    for one in report.layers:
        assert [layer["name"] for layer in one.layers] == layers
        assert all(layer["values"] > 0 and layer["different"] == 0 for layer in one.layers)

    def change(values: np.ndarray) -> None:
        values.reshape(-1)[0] += 1

    change_constant(path, changed, "body.1.pointwise.bn_add", change)
    report = bdnet_export.validate(changed, network, images, devices=devices, layers=True)
    failed = {check.name for check in report.checks if not check.passed}
    for one in report.layers:
        assert f"every layer equal {one.where}" in failed
        assert one.first_difference == "body.1.pointwise"
        assert one.check().message.split("; ")[1].startswith("body.1.pointwise: ")
        wrong = next(layer for layer in one.layers if layer["different"])
        assert wrong["different"] <= wrong["values"] // 2


def test_a_device_that_fails_does_not_lose_what_the_others_found(tmp_path: Path) -> None:
    class Broken(LocalDevice):
        """Its processes end before they say anything."""

        name = "broken"

        def verify(
            self, model: Path, reference: Path, options: VerifyOptions, progress: object = None
        ) -> dict[str, Any]:
            with EventProcess(["sh", "-c", "kill -9 $$"]) as process:
                return process.result()

    network = small_mobilenet(seed=9)
    path = tmp_path / "m.onnx"
    bdnet_export.export(network, path, input_shape=SHAPE)
    images = bdnet_export.random_images(2, SHAPE)
    devices = [Broken(), LocalDevice()]
    report = bdnet_export.validate(path, network, images, devices=devices, layers=True)
    assert report.device_errors == {
        "broken": "broken: the process was ended by SIGKILL: no message",
    }
    assert not report.passed
    assert all(check.passed for check in report.checks)
    assert [one.where for one in report.layers][-1] == "on local"


def test_a_file_without_bodies_needs_its_source(tmp_path: Path) -> None:
    network = small_mobilenet(seed=9)
    path = tmp_path / "m.onnx"
    bdnet_export.export(network, path, input_shape=SHAPE, fallback=False)
    with pytest.raises(InputError, match=r"has no operator bodies .* give the trained network"):
        bench_reference(path, None)
    reference, source = bench_reference(path, network)
    assert source == "PyTorch on the workstation"
    assert len(reference.images) == 4
