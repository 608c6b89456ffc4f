"""A bench on one device: verified, watched, measured; or what that would take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bdnet_devices import Device
from bdnet_devices.bench_result import bench_result
from bdnet_devices.care import Care, watched
from bdnet_devices.device import Progress
from bdnet_export.parity import plan_verification, verify_on_device
from bdnet_export.region_record import RegionQuestion
from bdnet_export.speed import Contest, SpeedComparison
from bdnet_runtime import lite
from bdnet_runtime.monitor import WatchOptions
from bdnet_runtime.verification import Reference
from bdnet_runtime.verify import VerifyOptions


@dataclass(frozen=True)
class ParityQuestion:
    """What a device should compute, and in words where that comes from."""

    reference: Reference | RegionQuestion
    source: str


@dataclass(frozen=True)
class DeviceBench:
    """What a bench found on one device, and the same for JSON (docs/results.md)."""

    comparison: SpeedComparison
    result: dict[str, Any]

    @property
    def parity_failed(self) -> bool:
        parity = self.result["parity"]
        return parity is not None and not parity["passed"]


def bench_on_device(
    device: Device,
    contest: Contest,
    care: Care,
    question: ParityQuestion | None,
    progress: Progress,
    command: Sequence[str] | None = None,
) -> DeviceBench:
    """Verifies and measures.

    Args:
        question: what the model is verified with first; None: it is not.
        command: the words that the user typed for it.

    Raises:
        InputError: the model cannot be run there, or the device is not fit to be measured.
    """
    parity = None
    if question is not None:
        options = _verify_options(contest)
        found = verify_on_device(device, contest.model, question.reference, options, progress)
        parity = {"source": question.source, **found}
    with watched(device, care, progress) as conditions:
        comparison = contest.measure(device, progress)
    result = bench_result(
        device,
        Path(contest.model),
        comparison.run_dicts(),
        conditions.report,
        rounds=comparison.rounds,
        calibration=comparison.calibration,
        parity=parity,
        command=command,
    )
    return DeviceBench(comparison, result)


def plan_on_device(
    device: Device,
    contest: Contest,
    care: Care,
    question: ParityQuestion | None,
    note: Callable[[str], None],
) -> None:
    """Notes what `bench_on_device` would run, in its order. The device is one of a dry run."""
    if question is not None:
        options = _verify_options(contest)
        plan_verification(device, contest.model, question.reference, options, note)
    put = cache(device.put)  # one that is not there would be sent once
    note(device.typed(WatchOptions(care.governor).command("")))
    in_turns = len(contest.contestants) > 1
    for _, _, one in contest.contestants:
        command = one.options.command("", put(one.model), in_turns)
        note(device.typed(command, lite=one.model.suffix == lite.SUFFIX))


def _verify_options(contest: Contest) -> VerifyOptions:
    return VerifyOptions(use_library=contest.contestants[0][2].options.use_library)
