"""The regions of a module's file on devices: each is sent the file cut at their borders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

from bdnet_devices import Device
from bdnet_export.device_run import ask_devices, device_error
from bdnet_export.parity import verify_on_device
from bdnet_export.region_record import RegionRecord
from bdnet_export.regions import TOLERATED
from bdnet_export.report import Check, LayerComparison, ValidationReport
from bdnet_runtime.verify import VerifyOptions


@dataclass(frozen=True)
class _Findings:
    """Results of ``python -m bdnet_runtime.verify``: of every image, and of the first by layers."""

    borders: dict[str, Any]
    layers: dict[str, Any] | None


def compare_on_devices(
    devices: Sequence[Device],
    path: Path,
    record: RegionRecord,
    report: ValidationReport,
    layers: bool,
) -> None:
    """Compares on every device, with bdnet's library, what a comparison here has noted.

    Args:
        report: takes what was found, or why a device could not be asked.
        layers: puts the comparison of each layer's output on the first image into the report.
    """
    asked = {device.name: partial(_ask, device, path, record, layers) for device in devices}
    for name, outcome in ask_devices(asked).items():
        if isinstance(outcome, Exception):
            report.device_errors[name] = device_error(name, outcome)
        else:
            _add(report, f"on {name}", record, outcome, layers)


def _ask(device: Device, path: Path, record: RegionRecord, layers: bool) -> _Findings:
    found = verify_on_device(device, path, record.question(), VerifyOptions())
    # What leaves a region is wrong: which of its layers it begins in shows on the first image.
    if not layers and found["failing_image"] != 0:
        return _Findings(found, None)
    by_layers = verify_on_device(device, path, record.layer_question(), VerifyOptions())
    return _Findings(found, by_layers)


def _add(
    report: ValidationReport, where: str, record: RegionRecord, found: _Findings, layers: bool
) -> None:
    borders, by_layers = found.borders, found.layers
    first = borders["first_difference"]
    if by_layers is not None and by_layers["first_difference"] is not None:
        first = by_layers["first_difference"]
    kinds = record.kinds()
    text = f"{borders['different']:,} of {borders['values']:,} values of {kinds['exact']} binary"
    text += " regions"
    text += " differ" + (f", first in {first}" if borders["different"] else "")
    report.checks.append(Check(f"regions equal {where}", borders["different"] == 0, text))
    for kind, name, unit, tolerance in TOLERATED:
        tolerated = [one for one in borders["layers"] if one.get("tolerance") == tolerance]
        if not tolerated:
            continue
        # What is no number has null for its error.
        worst = max(tolerated, key=lambda one: inf if one["error"] is None else one["error"])
        error = "no number" if worst["error"] is None else f"{worst['error']:.1e}"
        text = f"{kinds[kind]} {unit}, largest error {error} of the largest value"
        text += f" (in {worst['name']}), tolerance {tolerance:.0e}"
        passed = not any(one["different"] for one in tolerated)
        report.checks.append(Check(f"{name} {where}", passed, text))
    report.values_compared += borders["values"]
    report.values_different += borders["different"]
    report.first_difference = report.first_difference or first
    if layers and by_layers is not None:
        compared = LayerComparison(where, by_layers["layers"])
        report.layers.append(compared)
        report.checks.append(compared.check())
