"""Is a board fit for what bdnet does there? Each precondition, with the remedy."""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass

from bdnet_devices.board_python import OLDEST_GLIBC, find_python
from bdnet_devices.errors import DeviceError
from bdnet_devices.own_wheel import MACHINES
from bdnet_devices.probe import Facts
from bdnet_devices.ssh import Connection

NEEDED_BYTES = 500_000_000  # packages unpacked, their wheels, and models
CLOCK_SECONDS = 60  # within which results of two machines can be put in order


@dataclass(frozen=True)
class Check:
    """A precondition, what was found, and what to do where it does not hold ("" where it does).

    With ``needed`` False it is a wish: bdnet works without it.
    """

    name: str
    passed: bool
    found: str
    remedy: str = ""
    needed: bool = True


def examine(connection: Connection, facts: Facts) -> list[Check]:
    """Tries what deploying and measuring need. Reads, and makes one folder of bdnet's own.

    Args:
        facts: what `bdnet_devices.probe.probe` found: that it was reached, with a known host key.
    """
    return [
        Check("reached through ssh", True, connection.entry.by_hand()),
        _processor(facts),
        _glibc(facts),
        _python(connection, facts),
        _disk(facts),
        _folder(connection),
        _governor(facts),
        _throttling(facts),
        _clock(facts),
    ]


def _processor(facts: Facts) -> Check:
    found = facts.machine or "not told"
    if facts.machine in MACHINES:
        return Check("processor", True, f"{found}, kernels {facts.isa()}")
    return Check(
        "processor", False, found, f"use a 64-bit system on it; expected {' or '.join(MACHINES)}"
    )


def _glibc(facts: Facts) -> Check:
    wanted = ".".join(map(str, OLDEST_GLIBC))
    found = facts.glibc or "none"
    parts = tuple(int(part) for part in found.split(".") if part.isdigit())
    fits = parts >= OLDEST_GLIBC
    remedy = "" if fits else f"install a newer system; expected glibc {wanted} or newer"
    return Check("C library", fits, f"glibc {found}", remedy)


def _python(connection: Connection, facts: Facts) -> Check:
    try:
        command, python = find_python(connection, facts)
    except DeviceError as error:
        sentence = str(error).removeprefix(f"{connection.name}: ")
        found, _, remedy = sentence.partition("; ")
        return Check("Python", False, found, remedy or "install Python 3.10 to 3.13 there")
    return Check("Python", True, f"{python} ({command})")


def _disk(facts: Facts) -> Check:
    free = facts.disk_free_bytes
    if free is None:
        return Check("disk", True, "not told", needed=False)
    fits = free >= NEEDED_BYTES
    remedy = "" if fits else f"make room; expected {NEEDED_BYTES / 1e6:.0f} MB for packages"
    return Check("disk", fits, f"{free / 1e6:,.0f} MB free in the home folder", remedy)


def _folder(connection: Connection) -> Check:
    folder = connection.entry.folder
    quoted = shlex.quote(folder)
    command = f"mkdir -p {quoted} && test -w {quoted}"
    done = connection.change(command, check=False)
    if done.status == 0:
        return Check("folder", True, f"{folder} may be written")
    return Check(
        "folder",
        False,
        f"{folder} may not be written",
        "name another as 'folder' in the inventory, or give this user the right to it",
    )


def _governor(facts: Facts) -> Check:
    if facts.governor is None:
        return Check("governor", True, "not told: its clock cannot be fixed", needed=False)
    fixed = facts.governor == "performance"
    remedy = "" if fixed else "times vary less with bench --governor performance"
    return Check("governor", fixed, facts.governor, remedy, needed=False)


def _throttling(facts: Facts) -> Check:
    if facts.throttled is None:
        return Check("throttling", True, "not told", needed=False)
    clean = int(facts.throttled, 16) == 0
    remedy = "" if clean else "use a stronger power supply and cooling, then start it again"
    return Check("throttling", clean, facts.throttled, remedy, needed=False)


def _clock(facts: Facts) -> Check:
    if facts.time is None:
        return Check("clock", True, "not told", needed=False)
    off = facts.time - time.time()
    right = abs(off) <= CLOCK_SECONDS
    remedy = "" if right else "set it (timedatectl set-ntp true): results tell when they were made"
    return Check("clock", right, f"{off:+.0f} s from this machine's", remedy, needed=False)
