"""What a bench on one device writes as JSON, schema 2: docs/results.md describes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bdnet_devices.device import Device
from bdnet_devices.ratios import Ratio

SCHEMA = 2
MODEL = "model"
"""The name of the run of the file that everything is compared with."""

Result = dict[str, Any]


def run_entry(
    benchmark: Result,
    name: str = MODEL,
    *,
    ratio: Ratio | None = None,
    thread_scaling: Ratio | None = None,
    batch_scaling: Ratio | None = None,
    scaling_over_fp32: Ratio | None = None,
    memory_over_fp32: float | None = None,
) -> Result:
    """One of ``runs``. What there is nothing to compare with for is None.

    Args:
        benchmark: the result of ``python -m bdnet_runtime.benchmark``.
        name: of who was measured.
    """
    ratios = {
        "ratio": ratio,
        "thread_scaling": thread_scaling,
        "batch_scaling": batch_scaling,
        "scaling_over_fp32": scaling_over_fp32,
    }
    return {
        "name": name,
        "threads": benchmark["threads"],
        "batch": benchmark["batch"],
        **{key: None if value is None else asdict(value) for key, value in ratios.items()},
        "memory_over_fp32": memory_over_fp32,
        "benchmark": benchmark,
    }


def bench_result(
    device: Device,
    model: Path,
    runs: Sequence[Result],
    conditions: Result,
    *,
    rounds: int = 1,
    calibration: str | None = None,
    parity: Result | None = None,
    command: Sequence[str] | None = None,
) -> Result:
    """The result of a bench on one device.

    Args:
        runs: from `run_entry`; the model's first.
        conditions: the result of ``python -m bdnet_runtime.monitor``.
        parity: what the device's verification found, and what with.
        command: the words that the user typed for it; None where no command was typed.
    """
    return {
        "schema": SCHEMA,
        "kind": "bench",
        "command": None if command is None else list(command),
        "device": {"name": device.name, "address": device.address},
        "emulated": runs[0]["benchmark"]["host"]["emulated"],
        "model": str(model),
        "rounds": rounds,
        "calibration": calibration,
        "parity": parity,
        "conditions": conditions,
        "runs": list(runs),
    }
