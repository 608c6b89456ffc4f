"""Several devices at once: who fails does not disturb the others, Ctrl-C ends all of them."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time

import pytest

from bdnet_devices.errors import DeviceError
from bdnet_devices.process import EventProcess
from bdnet_devices.side_by_side import at_once, interruptible, pause

LONG = 600.0


def test_what_one_fails_with_is_its_outcome() -> None:
    def fail() -> int:
        raise DeviceError("pi5: it is not there")

    outcomes = at_once({"pi5": fail, "orin": lambda: 3})
    assert str(outcomes["pi5"]) == "pi5: it is not there"
    assert outcomes["orin"] == 3


def test_a_mistake_of_ours_is_not_one_of_a_device() -> None:
    with pytest.raises(ZeroDivisionError):
        at_once({"pi5": lambda: 1 / 0, "orin": lambda: 3})


def test_an_interruption_ends_what_they_wait_for_and_what_they_begin_then() -> None:
    begun: list[subprocess.Popen[str]] = []
    ready = threading.Barrier(4)

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(["sleep", str(LONG)], text=True)
        begun.append(process)
        return interruptible(process)

    def waits() -> None:
        process = start()
        ready.wait()
        process.wait()

    def waits_for_an_event() -> None:
        with EventProcess(["sleep", str(LONG)]) as process:
            begun.append(process._process)
            ready.wait()
            process.result()

    def pauses_and_goes_on() -> None:
        ready.wait()
        try:
            pause(LONG)
        finally:
            start().wait()

    def interrupts() -> None:
        ready.wait()
        os.kill(os.getpid(), signal.SIGINT)

    began = time.monotonic()
    tasks = [waits, waits_for_an_event, pauses_and_goes_on, interrupts]
    with pytest.raises(KeyboardInterrupt):
        at_once({task.__name__: task for task in tasks})
    assert time.monotonic() - began < LONG / 2
    assert len(begun) == 3
    assert all(process.returncode is not None for process in begun)
