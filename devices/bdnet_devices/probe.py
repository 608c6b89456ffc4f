"""What a board is and has, asked by one POSIX shell script: no Python is needed there."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from bdnet_devices.ssh import Connection

SECONDS = 60.0

# Each line is 'key<TAB>value'. What is not there says nothing.
SCRIPT = r"""
say() { [ -n "$2" ] && printf '%s\t%s\n' "$1" "$2"; }
first() { head -n 1 "$1" 2>/dev/null | tr -d '\000'; }
info() { sed -n "s/^$1[[:space:]]*: *//p" /proc/cpuinfo 2>/dev/null | head -n 1; }
say machine "$(uname -m)"
say kernel "$(uname -r)"
say model "$(first /proc/device-tree/model)"
cpu=$(info 'model name'); say cpu "${cpu:-$(info Hardware)}"
flags=$(info Features); say features "${flags:-$(info flags)}"
say cores "$(getconf _NPROCESSORS_ONLN 2>/dev/null)"
say memory_kib "$(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo 2>/dev/null)"
say disk_free_kib "$(df -Pk "$HOME" 2>/dev/null | sed 1d | head -n 1 | tr -s ' ' | cut -d ' ' -f 4)"
say glibc "$(getconf GNU_LIBC_VERSION 2>/dev/null | sed 's/^glibc //')"
say os "$(sed -n 's/^PRETTY_NAME=//p' /etc/os-release 2>/dev/null | tr -d '"')"
freq=/sys/devices/system/cpu/cpu0/cpufreq
say governor "$(first $freq/scaling_governor)"
say governors "$(first $freq/scaling_available_governors)"
say frequency_khz "$(first $freq/scaling_cur_freq)"
say millidegrees "$(cat /sys/class/thermal/thermal_zone*/temp 2>/dev/null | sort -n | tail -n 1)"
say throttled "$(vcgencmd get_throttled 2>/dev/null | sed 's/^throttled=//')"
say power_mode "$(nvpmodel -q 2>/dev/null | sed -n 's/^NV Power Mode: *//p')"
say home "$HOME"
say boot_id "$(first /proc/sys/kernel/random/boot_id)"
say time "$(date +%s)"
for p in python3.13 python3.12 python3.11 python3.10 python3; do
  path=$(command -v $p) && version=$($p -V 2>&1 | sed -n 's/^Python //p') &&
    say python "$path $version"
done
true
"""


@dataclass(frozen=True)
class Facts:
    """What a board told; None and empty: it did not.

    Args:
        pythons: path and version of each, the newest name first.
        throttled: Raspberry Pi's flags, as hexadecimal text.
        time: of its clock, seconds since 1970.
    """

    machine: str | None = None
    model: str | None = None
    cpu: str | None = None
    features: list[str] = field(default_factory=list)
    cores: int | None = None
    memory_bytes: int | None = None
    disk_free_bytes: int | None = None
    glibc: str | None = None
    os: str | None = None
    kernel: str | None = None
    governor: str | None = None
    governors: list[str] = field(default_factory=list)
    frequency_mhz: float | None = None
    temperature_c: float | None = None
    throttled: str | None = None
    power_mode: str | None = None
    pythons: list[tuple[str, str]] = field(default_factory=list)
    home: str | None = None
    boot_id: str | None = None
    time: int | None = None

    def isa(self) -> str | None:
        """Which of our kernels it can run; None where there are none for its processor."""
        if self.machine in ("aarch64", "arm64"):
            return "neon"
        if self.machine != "x86_64":
            return None
        has = set(self.features)
        if has >= {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vpopcntdq"}:
            return "avx512"
        return "avx2" if "avx2" in has else "reference"

    def to_dict(self) -> dict[str, Any]:
        """For JSON, schema 1."""
        return {"schema": 1, "kind": "probe", **asdict(self), "isa": self.isa()}


def probe(connection: Connection) -> Facts:
    """Asks a board. Raises `DeviceError` where it does not answer."""
    told: dict[str, str] = {}
    pythons: dict[str, str] = {}
    for line in connection.run(SCRIPT, timeout=SECONDS).stdout.splitlines():
        key, _, value = line.partition("\t")
        if key == "python":
            path, _, version = value.partition(" ")
            pythons.setdefault(path, version)
        else:
            told[key] = value

    def number(key: str) -> int | None:
        text = told.get(key, "")
        return int(text) if text.lstrip("-").isdigit() else None

    def scaled(key: str, factor: float) -> float | None:
        value = number(key)
        return None if value is None else value * factor

    memory, disk = number("memory_kib"), number("disk_free_kib")
    return Facts(
        machine=told.get("machine"),
        model=told.get("model"),
        cpu=told.get("cpu"),
        features=sorted(told.get("features", "").split()),
        cores=number("cores"),
        memory_bytes=None if memory is None else memory * 1024,
        disk_free_bytes=None if disk is None else disk * 1024,
        glibc=told.get("glibc"),
        os=told.get("os"),
        kernel=told.get("kernel"),
        governor=told.get("governor"),
        governors=told.get("governors", "").split(),
        frequency_mhz=scaled("frequency_khz", 1e-3),
        temperature_c=scaled("millidegrees", 1e-3),
        throttled=told.get("throttled"),
        power_mode=told.get("power_mode"),
        pythons=list(pythons.items()),
        home=told.get("home"),
        boot_id=told.get("boot_id"),
        time=number("time"),
    )
