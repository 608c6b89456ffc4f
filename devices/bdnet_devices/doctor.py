"""Whether a board has what a run needs, and for what it lacks the remedy."""

from __future__ import annotations

import time
from dataclasses import dataclass

from bdnet_devices.inventory import DeviceEntry
from bdnet_devices.probe import INSTRUCTION_SETS, Facts

OLDEST_GLIBC = (2, 28)
OLDEST_PYTHON, NEWEST_PYTHON = (3, 10), (3, 13)
DISK_BYTES = 500_000_000
CLOCK_SECONDS = 300


@dataclass(frozen=True)
class Check:
    """One precondition.

    Attributes:
        passed: None for a note: a run works, but something is worth knowing.
        found: what the board has.
        remedy: what to do; empty where nothing is.
    """

    name: str
    passed: bool | None
    found: str
    remedy: str = ""


def examine(entry: DeviceEntry, facts: Facts) -> list[Check]:
    """The checks for a board that was reached and probed."""
    return [
        Check("reachable", True, entry.host),
        Check("host key", True, "known and the same"),
        _architecture(facts),
        _glibc(facts),
        _python(entry, facts),
        _tools(facts),
        _disk(facts),
        _folder(entry, facts),
        _governor(facts),
        _clock(facts),
    ]


def _check(name: str, passed: bool, found: str, remedy: str) -> Check:
    return Check(name, passed, found, "" if passed else remedy)


def _architecture(facts: Facts) -> Check:
    found = f"{facts.machine or 'not told'}, {facts.bits or '?'}-bit system"
    return _check(
        "architecture",
        facts.machine in INSTRUCTION_SETS and facts.bits != 32,
        found,
        f"expected {' or '.join(INSTRUCTION_SETS)}: put a 64-bit system on the board",
    )


def _glibc(facts: Facts) -> Check:
    return _check(
        "glibc",
        facts.glibc is not None and version(facts.glibc) >= OLDEST_GLIBC,
        facts.glibc or "another C library",
        "expected 2.28 or newer: Debian 10, Ubuntu 20.04, JetPack 5 and what came after them",
    )


def _python(entry: DeviceEntry, facts: Facts) -> Check:
    usable = [
        f"{number} ({path})"
        for path, number in facts.pythons
        if OLDEST_PYTHON <= version(number) <= NEWEST_PYTHON
    ]
    found = ", ".join(f"{number} ({path})" for path, number in facts.pythons)
    return _check(
        "Python",
        bool(usable),
        usable[0] if usable else found or "none",
        "expected 3.10 to 3.13: install one there (Debian: 'sudo apt install python3'), or name "
        f"one that is elsewhere as 'python' of {entry.name} in the inventory",
    )


def _tools(facts: Facts) -> Check:
    missing = ", ".join(facts.missing_tools)
    return _check(
        "shell tools",
        not missing,
        f"{missing} missing" if missing else "all there",
        "install util-linux and coreutils, or a busybox that has them",
    )


def _disk(facts: Facts) -> Check:
    free = facts.disk_free_bytes
    return _check(
        "disk",
        free is not None and free >= DISK_BYTES,
        "not told" if free is None else f"{free / 1e6:,.0f} MB free",
        f"expected {DISK_BYTES / 1e6:.0f} MB: make room, or name a folder on another disk as "
        "'folder' in the inventory",
    )


def _folder(entry: DeviceEntry, facts: Facts) -> Check:
    return _check(
        "folder",
        facts.writable,
        f"{entry.folder} {'may' if facts.writable else 'may not'} be written",
        "name a folder of that user as 'folder' in the inventory",
    )


def _governor(facts: Facts) -> Check:
    if facts.governor is None:
        return Check("governor", None, "not told", "times may vary with the clock's frequency")
    if facts.governor == "performance":
        return Check("governor", True, facts.governor)
    return Check(
        "governor",
        None,
        facts.governor,
        "times vary less with 'performance', which 'bench --governor performance' sets for a run",
    )


def _clock(facts: Facts) -> Check:
    if facts.time is None:
        return Check("clock", None, "not told", "see that 'date' works there")
    seconds = facts.time - time.time()
    if abs(seconds) <= CLOCK_SECONDS:
        return Check("clock", True, "as here, within five minutes")
    return Check(
        "clock",
        None,
        f"{abs(seconds) / 3600:.1f} h {'ahead of' if seconds > 0 else 'behind'} this machine's",
        "let it be set over the network ('timedatectl set-ntp true'), or results carry wrong dates",
    )


def version(text: str) -> tuple[int, int]:
    """'3.11.2' -> (3, 11)"""
    major, minor = (int(part) for part in text.split(".")[:2])
    return major, minor
