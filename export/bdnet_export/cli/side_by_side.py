"""The same on several devices at once, as a command shows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from bdnet_export.cli.main import BAD_INPUT
from bdnet_export.cli.output import Output, StageProgress

Found = TypeVar("Found")


def side_by_side(
    out: Output, devices: Sequence[str], run: Callable[[str, StageProgress], Found]
) -> dict[str, Found | Exception]:
    """Calls ``run`` for every device at once, each with its own progress.

    Returns:
        What it found for each device, or the error of the device or its user that it ended in. An
        error of the only device is raised.
    """
    from bdnet_devices.side_by_side import at_once

    if len(devices) == 1:  # in this thread, where Ctrl-C arrives
        with out.progress() as progress:
            return {devices[0]: run(devices[0], progress)}
    with out.progress_of(devices) as progress_of:
        return at_once({name: partial(run, name, progress_of[name]) for name in devices})


def show_plans(out: Output, plans: dict[str, list[str] | Exception]) -> int:
    """Shows the commands that a dry run has noted for each device. Returns the exit status."""
    status = 0
    for name, plan in plans.items():
        if isinstance(plan, Exception):
            out.failure(str(plan))
            status = BAD_INPUT
            continue
        for line in plan:
            out.line(line)
        out.success(f"Nothing was changed on {name}, and nothing run")
    return status
