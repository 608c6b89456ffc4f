"""What the machine is: processor, clock, memory, system. Whatever it does not tell is None."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

EMULATED = "BDNET_EMULATED"

# The processor features that a kernel's speed can depend on, as Linux names them.
FEATURES = {
    "ssse3",
    "sse4_1",
    "sse4_2",
    "popcnt",
    "avx",
    "f16c",
    "fma",
    "bmi1",
    "bmi2",
    "avx2",
    "avx_vnni",
    "gfni",
    "avx512f",
    "avx512bw",
    "avx512vl",
    "avx512_vnni",
    "avx512_bitalg",
    "avx512_vpopcntdq",
    "neon",
    "asimd",
    "fphp",
    "asimdhp",
    "atomics",
    "asimddp",
    "i8mm",
    "sve",
    "sve2",
}


def describe_host(root: Path = Path("/")) -> dict[str, Any]:
    """The machine this process runs on.

    Args:
        root: where ``proc``, ``sys`` and ``etc`` are.

    Returns:
        ``machine`` (as ``uname -m``); ``emulated``: whether it says so itself, by the environment
        variable ``BDNET_EMULATED``: its times are then not those of a board; ``board``, where a
        device tree names it; ``cpu`` (model);
        ``cores`` (that this process may use); ``features`` (sorted); ``governor``;
        ``frequency_mhz`` (of core 0, now); ``memory_bytes``; ``os``; ``kernel``.
    """
    cpuinfo = _fields(root / "proc/cpuinfo")
    cpufreq = root / "sys/devices/system/cpu/cpu0/cpufreq"
    features = cpuinfo.get("flags") or cpuinfo.get("Features")
    kilohertz = _number(_read(cpufreq / "scaling_cur_freq"))
    kibibytes = _number(_fields(root / "proc/meminfo").get("MemTotal"))
    return {
        "machine": platform.machine() or None,
        "emulated": EMULATED in os.environ,
        "board": _read(root / "proc/device-tree/model"),
        "cpu": cpuinfo.get("model name") or cpuinfo.get("Hardware"),
        "cores": _usable_cores(),
        "features": None if features is None else sorted(FEATURES.intersection(features.split())),
        "governor": _read(cpufreq / "scaling_governor"),
        "frequency_mhz": None if kilohertz is None else kilohertz / 1000,
        "memory_bytes": None if kibibytes is None else kibibytes * 1024,
        "os": _fields(root / "etc/os-release", "=").get("PRETTY_NAME") or platform.system(),
        "kernel": platform.release() or None,
    }


def _usable_cores() -> int | None:
    # A container or taskset may allow fewer than the machine has.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _number(text: str | None) -> int | None:
    """The number a text begins with; None for what some drivers write instead: '<unknown>'."""
    try:
        return int((text or "").split()[0])
    except (ValueError, IndexError):
        return None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip("\0 \n") or None
    except OSError:
        return None


def _fields(path: Path, separator: str = ":") -> dict[str, str]:
    """The lines 'key: value' of a file; of several with one key, the first."""
    fields: dict[str, str] = {}
    for line in (_read(path) or "").splitlines():
        key, found, value = line.partition(separator)
        if found:
            fields.setdefault(key.strip(), value.strip().strip('"'))
    return fields
