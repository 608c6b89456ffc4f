"""Temperature, frequency and throttling of a device before, during and after a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Reading:
    """One look at the device.

    Args:
        seconds: on the device's clock.
        temperatures_c: degrees Celsius by zone; frequencies_mhz: by core. Empty where not told.
        throttling: what the device says of it in its own words; None for nothing.
    """

    seconds: float
    temperatures_c: dict[str, float]
    frequencies_mhz: dict[str, float]
    governor: str | None
    throttling: str | None

    @classmethod
    def read(cls, content: dict[str, Any]) -> Reading:
        return cls(
            float(content["time"]),
            {zone: float(value) for zone, value in (content.get("temperature_c") or {}).items()},
            {core: float(value) for core, value in (content.get("frequency_mhz") or {}).items()},
            content.get("governor"),
            content.get("throttled"),
        )


@dataclass(frozen=True)
class Conditions:
    """Args: readings: in order of time; the first from before the run, the last from after."""

    readings: tuple[Reading, ...]
    throttled: bool
    governor_set: str | None

    @classmethod
    def read(cls, content: dict[str, Any] | None) -> Conditions:
        if content is None:
            return cls((), False, None)
        told = [content.get("before"), *(content.get("during") or ()), content.get("after")]
        readings = (Reading.read(reading) for reading in told if reading)
        return cls(
            tuple(sorted(readings, key=lambda reading: reading.seconds)),
            bool(content["throttled"]),
            content.get("governor_set"),
        )

    @property
    def governor(self) -> str | None:
        """That of the run: what was set, or else what was found."""
        found = (reading.governor for reading in self.readings)
        return self.governor_set or next((name for name in found if name), None)

    @property
    def hottest_c(self) -> float | None:
        return max(
            (max(r.temperatures_c.values()) for r in self.readings if r.temperatures_c),
            default=None,
        )
