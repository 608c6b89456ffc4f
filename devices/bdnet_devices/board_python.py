"""The Python of a board: which one is used, and which wheels it can have."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

from bdnet_devices.errors import DeviceError
from bdnet_devices.probe import Facts
from bdnet_devices.ssh import Connection
from bdnet_devices.wheel_build import MACHINES

OLDEST, NEWEST = (3, 10), (3, 13)
OLDEST_GLIBC = (2, 28)
OLDEST_TAG = 17  # glibc 2.17, that of the oldest wheels for aarch64

# Runs in whatever Python the board has, an old one too.
IDENTIFY = """
import json, os, platform, sys, sysconfig, zipfile
try:
    libc = os.confstr("CS_GNU_LIBC_VERSION")
except (AttributeError, OSError, ValueError):
    libc = None
print(json.dumps({
    "python": platform.python_implementation() + getattr(sys, "abiflags", ""),
    "version": sys.version_info[:2],
    "platform": sysconfig.get_platform(),
    "libc": libc,
}))
"""


@dataclass(frozen=True)
class BoardPython:
    """What decides which wheels a Python can use.

    Attributes:
        version: (3, 11), say.
        machine: what it was built for: ``aarch64`` or ``x86_64``.
        glibc: (2, 36), say.
    """

    version: tuple[int, int]
    machine: str
    glibc: tuple[int, int]

    def __str__(self) -> str:
        return f"Python {self.version[0]}.{self.version[1]} on {self.machine}"

    def platforms(self) -> list[str]:
        """The platform tags that it can use, the newest first."""
        minors = range(self.glibc[1], OLDEST_TAG - 1, -1)
        tags = [f"manylinux_2_{minor}_{self.machine}" for minor in minors]
        return [*tags, f"manylinux2014_{self.machine}"]


def find_python(connection: Connection, facts: Facts) -> tuple[str, BoardPython]:
    """The Python that the inventory names, otherwise the newest that is usable.

    Returns:
        The command that starts it, and what it says of itself: a 64-bit kernel may have a 32-bit
        Python, and emulation a whole other system.

    Raises:
        DeviceError: there is no usable one.
    """
    command = connection.entry.python or _newest_python(connection.name, facts)
    return command, _identify(connection, command)


def _newest_python(name: str, facts: Facts) -> str:
    usable = [
        (_version(version), path)
        for path, version in facts.pythons
        if OLDEST <= _version(version) <= NEWEST
    ]
    if usable:
        return max(usable)[1]
    found = ", ".join(f"{version} ({path})" for path, version in facts.pythons)
    raise DeviceError(
        f"{name}: it has {f'only Python {found}' if found else 'no Python'}; expected 3.10 to "
        "3.13: install one there, or name one that is elsewhere as 'python' in the inventory"
    )


def _identify(connection: Connection, command: str) -> BoardPython:
    name = connection.name
    done = connection.run(shlex.join([command, "-c", IDENTIFY]), check=False)
    if done.status != 0:
        reason = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
        raise DeviceError(
            f"{name}: cannot run its Python {command}: {reason}; name another as 'python' in "
            "the inventory"
        )
    said = json.loads(done.stdout.splitlines()[-1])
    version = (said["version"][0], said["version"][1])
    machine = said["platform"].removeprefix("linux-")
    glibc = (said["libc"] or "").removeprefix("glibc ")
    shown = f"{command} there, {said['python']} {version[0]}.{version[1]} for {machine},"
    if said["python"] != "CPython" or not OLDEST <= version <= NEWEST:
        raise DeviceError(
            f"{name}: no usable Python: {shown} is not CPython 3.10 to 3.13; install one "
            "there, or name one that is elsewhere as 'python' in the inventory"
        )
    if machine not in MACHINES:
        raise DeviceError(
            f"{name}: no usable Python: {shown} is not for {' or '.join(MACHINES)}, and "
            "ONNX Runtime has no others; use a 64-bit system there"
        )
    if not glibc or _version(glibc) < OLDEST_GLIBC:
        raise DeviceError(
            f"{name}: no usable Python: {shown} runs on "
            f"{f'glibc {glibc}' if glibc else 'a C library that is not glibc'}; expected glibc "
            "2.28 or newer, as Debian 10, Ubuntu 20.04 and what came after them have"
        )
    return BoardPython(version, machine, _version(glibc))


def _version(text: str) -> tuple[int, int]:
    """'3.11.2' -> (3, 11)"""
    major, minor = (int(part) for part in text.split(".")[:2])
    return major, minor
