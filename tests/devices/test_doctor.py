"""The doctor: each thing a board may lack fails its check, with what to do."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from bdnet_devices.doctor import Check, examine
from bdnet_devices.inventory import DeviceEntry
from bdnet_devices.probe import Facts

PI = Facts(
    machine="aarch64",
    bits=64,
    features=("asimd",),
    disk_free_bytes=10**10,
    writable=True,
    glibc="2.36",
    governor="performance",
    pythons=[("/usr/bin/python3", "3.11.2")],
)


def checks(facts: Facts) -> dict[str, Check]:
    return {check.name: check for check in examine(DeviceEntry("pi5", "pi@pi"), facts)}


def test_a_raspberry_pi_is_ready() -> None:
    ready = replace(PI, time=int(time.time()))
    assert all(check.passed and not check.remedy for check in checks(ready).values())


@pytest.mark.parametrize(
    ("name", "lacking", "found"),
    [
        ("architecture", {"machine": "armv7l"}, "armv7l"),
        ("architecture", {"bits": 32}, "32-bit"),
        ("glibc", {"glibc": None}, "another C library"),
        ("glibc", {"glibc": "2.27"}, "2.27"),
        ("Python", {"pythons": []}, "none"),
        ("Python", {"pythons": [("/usr/bin/python3", "3.8.10")]}, "3.8.10"),
        ("shell tools", {"missing_tools": ("flock",)}, "flock"),
        ("disk", {"disk_free_bytes": 10**8}, "100 MB"),
        ("folder", {"writable": False}, "may not be written"),
    ],
)
def test_what_is_missing_fails(name: str, lacking: dict[str, Any], found: str) -> None:
    check = checks(replace(PI, **lacking))[name]
    assert check.passed is False
    assert found in check.found
    assert check.remedy


def test_governor_and_clock_are_notes() -> None:
    found = checks(replace(PI, governor="ondemand", time=0))
    assert found["governor"].passed is None
    assert "--governor performance" in found["governor"].remedy
    assert found["clock"].passed is None
    assert "behind" in found["clock"].found
