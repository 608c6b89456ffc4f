"""What surrounds a measurement on a device: cool before it, watched during it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bdnet_devices.device import Device, Progress
from bdnet_devices.errors import DeviceError
from bdnet_devices.side_by_side import pause
from bdnet_runtime import InputError
from bdnet_runtime.monitor import WatchOptions

POLL_SECONDS = 5.0

Result = dict[str, Any]


@dataclass(frozen=True)
class Care:
    """How a device is treated.

    Args:
        governor: set while it is measured.
        max_temperature: degrees Celsius that it may have before it is measured; None: any.
        cool_down: seconds to wait for that at most.
    """

    governor: str | None = None
    max_temperature: float | None = None
    cool_down: float = 300.0


@dataclass
class Conditions:
    """What was read meanwhile: the result of ``python -m bdnet_runtime.monitor``, at its end."""

    report: Result = field(default_factory=dict)


@contextmanager
def watched(device: Device, care: Care, progress: Progress) -> Iterator[Conditions]:
    """Waits until the device is cool, and reads its conditions during the context.

    Raises:
        InputError: it does not become cool in time, or its governor cannot be set.
    """
    if care.max_temperature is not None:
        _cool(device, care.max_temperature, care.cool_down, progress)
    conditions = Conditions()
    with device.watch(WatchOptions(care.governor)) as watch:
        yield conditions
        conditions.report = watch.report()


def _cool(device: Device, most: float, seconds: float, progress: Progress) -> None:
    begin = time.monotonic()
    while True:
        with device.watch(WatchOptions()) as watch:
            temperature = watch.report()["after"]["temperature_c"]
        if temperature is None:
            raise InputError(f"{device.name}: it tells no temperature; leave --max-temperature out")
        if temperature <= most:
            return
        waited = time.monotonic() - begin
        if waited >= seconds:
            raise DeviceError(
                f"{device.name}: it has {temperature:.1f} °C after {seconds:g} s of waiting, more "
                f"than the {most:g} of --max-temperature; cool it, or give --cool-down more seconds"
            )
        progress(f"cooling down from {temperature:.0f} to {most:g} °C", waited / seconds)
        pause(min(POLL_SECONDS, seconds - waited))
