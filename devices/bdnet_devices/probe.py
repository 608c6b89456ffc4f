"""What a board says of itself, asked with a POSIX shell: no Python is needed there."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from bdnet_devices.ssh import Connection

# The processor's features that our instruction sets need, as /proc/cpuinfo names them. The library
# decides when it is loaded; this is what it will find.
INSTRUCTION_SETS: dict[str, dict[str, set[str]]] = {
    "x86_64": {
        "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vpopcntdq"},
        "avx2": {"avx2"},
    },
    "aarch64": {"neon": set()},  # every one has it
}

# Arguments: the folder, and a Python that the inventory names or nothing. Prints 'key value' lines.
_SCRIPT = r"""
say() { [ -z "$2" ] || printf '%s %s\n' "$1" "$2"; }
first() { [ ! -r "$2" ] || say "$1" "$(head -n 1 "$2" 2>/dev/null | tr -d '\000')"; }
say machine "$(uname -m)"
say kernel "$(uname -r)"
say bits "$(getconf LONG_BIT)"
say home "$HOME"
say time "$(date +%s)"
first model /proc/device-tree/model
say cpu "$(sed -n 's/^\(model name\|Hardware\)[[:space:]]*: //p' /proc/cpuinfo | head -n 1)"
say features "$(sed -n 's/^\(flags\|Features\)[[:space:]]*: //p' /proc/cpuinfo | head -n 1)"
say cores "$(getconf _NPROCESSORS_ONLN || nproc)"
say memory_kib "$(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo)"
say glibc "$(getconf GNU_LIBC_VERSION | sed -n 's/^glibc //p')"
say os "$(sed -n 's/^PRETTY_NAME="\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' /etc/os-release)"
first boot_id /proc/sys/kernel/random/boot_id
cpufreq=/sys/devices/system/cpu/cpu0/cpufreq
first governor $cpufreq/scaling_governor
first governors $cpufreq/scaling_available_governors
first frequency_khz $cpufreq/scaling_cur_freq
first temperature_mc /sys/class/thermal/thermal_zone0/temp
first jetson /etc/nv_tegra_release
say throttled "$(vcgencmd get_throttled | sed -n 's/^throttled=//p')"
folder=$1
while [ ! -d "$folder" ]; do
  case $folder in */*) folder=${folder%/*}; folder=${folder:-/};; *) folder=.;; esac
done
say disk_kib "$(df -Pk "$folder" | sed -n '2p' | tr -s ' ' | cut -d ' ' -f 4)"
[ ! -w "$folder" ] || say writable "$folder"
for tool in setsid flock head sha256sum; do
  command -v $tool >/dev/null || say missing_tool $tool
done
for python in $2 python3.13 python3.12 python3.11 python3.10 python3; do
  path=$(command -v "$python") || continue
  version=$("$path" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])') || continue
  say python "$version $path"
done
"""


@dataclass(frozen=True)
class Facts:
    """What was found; None where the board does not tell.

    Attributes:
        machine: as ``uname -m``.
        bits: of the system's programs: 32 may run on a 64-bit kernel.
        features: of the processor, as /proc/cpuinfo names them.
        disk_free_bytes: where the folder is or would be.
        writable: whether the folder may be made or written.
        pythons: path and version of each, the newest first.
        time: seconds since 1970 by its clock.
        missing_tools: commands that a run needs and that are not there.
    """

    machine: str | None = None
    bits: int | None = None
    model: str | None = None
    cpu: str | None = None
    features: tuple[str, ...] | None = None
    cores: int | None = None
    memory_bytes: int | None = None
    disk_free_bytes: int | None = None
    writable: bool = False
    glibc: str | None = None
    os: str | None = None
    kernel: str | None = None
    governor: str | None = None
    governors: tuple[str, ...] | None = None
    frequency_mhz: float | None = None
    temperature_c: float | None = None
    throttled: str | None = None
    jetson: str | None = None
    pythons: list[tuple[str, str]] = field(default_factory=list)
    home: str | None = None
    boot_id: str | None = None
    time: int | None = None
    missing_tools: tuple[str, ...] = ()

    def isa(self) -> str | None:
        """Which of our kernels would run; None for a processor without a library of ours."""
        sets = INSTRUCTION_SETS.get(self.machine or "")
        if sets is None or self.bits == 32:
            return None
        found = set(self.features or ())
        return next((name for name, needed in sets.items() if needed <= found), "reference")


def probe(connection: Connection) -> Facts:
    """Asks the board. Raises `DeviceError` where the connection fails."""
    entry = connection.entry
    command = shlex.join(["sh", "-s", entry.folder, entry.python or ""])
    done = connection.run(command, input=_SCRIPT.encode(), timeout=60, check=False)
    told: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        key, _, value = line.partition(" ")
        told.setdefault(key, []).append(value.strip())

    def text(key: str) -> str | None:
        return told.get(key, [None])[0]

    def number(key: str) -> int | None:
        value = text(key) or ""
        return int(value) if value.lstrip("-").isdigit() else None

    def words(key: str) -> tuple[str, ...] | None:
        value = text(key)
        return None if value is None else tuple(value.split())

    def scaled(key: str, factor: int) -> int | None:
        value = number(key)
        return None if value is None else value * factor

    def thousandth(key: str) -> float | None:
        value = number(key)
        return None if value is None else value / 1000

    pythons: dict[str, str] = {}
    for line in told.get("python", []):
        version, _, path = line.partition(" ")
        pythons.setdefault(path, version)
    return Facts(
        machine=text("machine"),
        bits=number("bits"),
        model=text("model"),
        cpu=text("cpu"),
        features=words("features"),
        cores=number("cores"),
        memory_bytes=scaled("memory_kib", 1024),
        disk_free_bytes=scaled("disk_kib", 1024),
        writable="writable" in told,
        glibc=text("glibc"),
        os=text("os"),
        kernel=text("kernel"),
        governor=text("governor"),
        governors=words("governors"),
        frequency_mhz=thousandth("frequency_khz"),
        temperature_c=thousandth("temperature_mc"),
        throttled=text("throttled"),
        jetson=text("jetson"),
        pythons=list(pythons.items()),
        home=text("home"),
        boot_id=text("boot_id"),
        time=number("time"),
        missing_tools=tuple(told.get("missing_tool", [])),
    )
