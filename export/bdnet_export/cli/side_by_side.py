"""The same on several devices at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from bdnet_export.cli.output import Output, StageProgress

Found = TypeVar("Found")


def side_by_side(
    out: Output, devices: Sequence[str], run: Callable[[str, StageProgress], Found]
) -> dict[str, Found | Exception]:
    """Calls ``run`` for every device at once, each with its own progress.

    Returns:
        What it found for each device, or the error of the device or its user that it ended in:
        what is wrong with one device is no reason to lose what the others have found.
    """
    from bdnet_devices.errors import ProcessEndedError
    from bdnet_runtime import InputError

    if len(devices) == 1:  # in this thread, where Ctrl-C arrives
        with out.progress() as progress:
            return {devices[0]: run(devices[0], progress)}
    outcomes: dict[str, Found | Exception] = {}
    with out.progress_of(devices) as progress_of, ThreadPoolExecutor(len(devices)) as pool:
        futures = {name: pool.submit(run, name, progress_of[name]) for name in devices}
        for name, future in futures.items():
            try:
                outcomes[name] = future.result()
            except (InputError, ProcessEndedError) as error:
                outcomes[name] = error
    return outcomes
