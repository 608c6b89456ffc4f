"""What a measurement depends on and changes meanwhile: temperature, clock, governor, throttling.

Whatever the machine does not tell is null or left out. Raspberry Pi and Jetson are read as their
makers describe them; neither has been at hand.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

Reading = dict[str, Any]

CPUS = "sys/devices/system/cpu"
COMMAND_SECONDS = 2.0

# Bits of Raspberry Pi's 'vcgencmd get_throttled': now; 16 bits higher: since it was started.
THROTTLE_BITS = {
    0: "under-voltage",
    1: "frequency capped",
    2: "throttled",
    3: "soft temperature limit",
}
SINCE_START = 16


def read_conditions(root: Path = Path("/")) -> Reading:
    """The conditions now.

    Args:
        root: where ``sys`` is.

    Returns:
        ``time``: seconds since 1970; ``temperature_c``: the hottest zone; ``temperatures_c``: of
        each thermal zone; ``frequency_mhz``: of each core; ``governor``: of all cores where it is
        one, otherwise of each with commas between them; ``throttling``: what limits the clock now;
        ``throttle_events``: a text that changes when it was limited meanwhile; ``power_mode``
        (Jetson); ``power_mw``: of each rail (Jetson's INA3221).
    """
    zones = _temperatures(root)
    flags = _raspberry_flags()
    limits = [] if flags is None else [THROTTLE_BITS[b] for b in THROTTLE_BITS if flags >> b & 1]
    governors = [_read(path) or "?" for path in governor_files(root)]
    return {
        "time": time.time(),
        "temperature_c": max(zones.values(), default=None),
        "temperatures_c": zones,
        "frequency_mhz": _frequencies(root),
        "governor": ",".join(governors if len(set(governors)) > 1 else governors[:1]) or None,
        "throttling": limits,
        "throttle_events": _throttle_events(root, flags),
        "power_mode": _power_mode(),
        "power_mw": _power(root),
    }


def governor_files(root: Path = Path("/")) -> list[Path]:
    """Where the governor of each group of cores is read and written."""
    return sorted((root / CPUS / "cpufreq").glob("policy*/scaling_governor"))


def throttled(readings: list[Reading]) -> list[str]:
    """What limited the clock between the first and the last reading, in words; none: nothing."""
    found = {limit for reading in readings for limit in reading["throttling"]}
    if readings and readings[0]["throttle_events"] != readings[-1]["throttle_events"]:
        found.add("throttled between two readings")
    return sorted(found)


def _temperatures(root: Path) -> dict[str, float]:
    zones: dict[str, float] = {}
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        milli = _number(_read(zone / "temp"))
        if milli is not None:
            kind = _read(zone / "type") or zone.name
            zones[kind if kind not in zones else f"{kind} ({zone.name})"] = milli / 1000
    return zones


def _frequencies(root: Path) -> list[float]:
    files = (root / CPUS).glob("cpu[0-9]*/cpufreq/scaling_cur_freq")
    kilohertz = [_number(_read(path)) for path in sorted(files, key=_core)]
    return [value / 1000 for value in kilohertz if value is not None]


def _core(path: Path) -> int:
    return int(path.parts[-3].removeprefix("cpu"))


def _raspberry_flags() -> int | None:
    told = _run("vcgencmd", "get_throttled")  # throttled=0x50000
    try:
        return int((told or "").partition("=")[2], 16)
    except ValueError:
        return None


def _throttle_events(root: Path, flags: int | None) -> str | None:
    counts = (root / CPUS).glob("cpu[0-9]*/thermal_throttle/*_throttle_count")
    counted = [_read(path) or "" for path in sorted(counts)]
    if flags is None and not counted:
        return None
    since_start = "" if flags is None else hex(flags >> SINCE_START)
    return " ".join([since_start, *counted]).strip()


def _power_mode() -> str | None:
    told = _run("nvpmodel", "-q")  # NV Power Mode: MAXN, and its number on the next line
    lines = [line.partition(":")[2].strip() for line in (told or "").splitlines() if ":" in line]
    return next((line for line in lines if line), None)


def _power(root: Path) -> dict[str, float]:
    rails: dict[str, float] = {}
    for monitor in sorted((root / "sys/bus/i2c/drivers/ina3221").glob("*/hwmon/hwmon*")):
        for label in sorted(monitor.glob("in[0-9]*_label")):
            channel = label.name.removeprefix("in").removesuffix("_label")
            millivolts = _number(_read(monitor / f"in{channel}_input"))
            milliamperes = _number(_read(monitor / f"curr{channel}_input"))
            if millivolts is not None and milliamperes is not None:
                rails[_read(label) or label.name] = millivolts * milliamperes / 1000
    return rails


def _run(command: str, *arguments: str) -> str | None:
    found = shutil.which(command)
    if found is None:
        return None
    try:
        done = subprocess.run(
            [found, *arguments], capture_output=True, text=True, timeout=COMMAND_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip() or None
    except OSError:
        return None


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None
