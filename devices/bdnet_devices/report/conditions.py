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
        throttling: what limits the clock, in words; empty: nothing does.
    """

    seconds: float
    temperatures_c: dict[str, float]
    frequencies_mhz: dict[str, float]
    governor: str | None
    throttling: tuple[str, ...]

    @classmethod
    def read(cls, content: dict[str, Any]) -> Reading:
        return cls(
            float(content["time"]),
            {zone: float(value) for zone, value in content["temperatures_c"].items()},
            {f"core {n}": float(value) for n, value in enumerate(content["frequency_mhz"])},
            content["governor"],
            tuple(content["throttling"]),
        )


@dataclass(frozen=True)
class Conditions:
    """What the monitor found.

    Args:
        readings: in order; the first from before the run, the last from after.
        throttled: what limited the clock meanwhile, in words; empty: nothing did.
        clock_jump_ms: by how much the wall clock jumped; None where it did not.
    """

    readings: tuple[Reading, ...]
    throttled: tuple[str, ...]
    governor_set: str | None
    clock_jump_ms: float | None

    @classmethod
    def read(cls, content: dict[str, Any]) -> Conditions:
        told = (content["before"], *content["during"], content["after"])
        clock = content["clock"]
        return cls(
            tuple(map(Reading.read, told)),
            tuple(content["throttled"]),
            content["governor_set"],
            float(clock["jump_ms"]) if clock["jumped"] else None,
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
