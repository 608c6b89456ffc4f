"""What surrounds a measurement: a cool device before it, its conditions meanwhile.

The device is this machine with the thermal zone of a folder laid out like /sys, since this machine
may have none; what reads it is the process that reads a board's.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from bdnet_devices import LocalDevice, care
from bdnet_devices.bench_result import bench_result, run_entry
from bdnet_devices.care import Care, watched
from bdnet_devices.errors import DeviceError
from bdnet_devices.process import EventProcess, ProcessWatch, wait_until_ready
from bdnet_runtime import InputError
from bdnet_runtime.benchmark import BenchmarkOptions
from bdnet_runtime.monitor import WatchOptions

RUN = """
import sys
from pathlib import Path
from bdnet_runtime.events import run_main
from bdnet_runtime.monitor import WatchOptions, monitor
sys.exit(run_main(lambda: monitor(WatchOptions(None, 0.05), Path(sys.argv[1]))))
"""


class Kettle(LocalDevice):
    """A device of one thermal zone: this machine, with a temperature that the test sets."""

    name = "kettle"

    def __init__(self, root: Path) -> None:
        self._root = root
        self._zone = root / "sys/class/thermal/thermal_zone0/temp"
        self._throttling = root / "sys/devices/system/cpu/cpu0/thermal_throttle"
        self.watches = 0

    def heat(self, celsius: float) -> None:
        self._zone.parent.mkdir(parents=True, exist_ok=True)
        self._zone.write_text(f"{celsius * 1000:.0f}\n")

    def throttle(self, times: int) -> None:
        self._throttling.mkdir(parents=True, exist_ok=True)
        (self._throttling / "core_throttle_count").write_text(f"{times}\n")

    def watch(self, options: WatchOptions) -> ProcessWatch:
        self.watches += 1
        command = [sys.executable, "-c", RUN, str(self._root)]
        return ProcessWatch(wait_until_ready(EventProcess(command)))


@pytest.fixture
def kettle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kettle:
    monkeypatch.setattr(care, "POLL_SECONDS", 0.01)
    return Kettle(tmp_path)


def nothing(stage: str, fraction: float) -> None:
    pass


def test_it_waits_until_the_device_is_cool(kettle: Kettle) -> None:
    kettle.heat(71)
    stages: list[str] = []

    def cool(stage: str, fraction: float) -> None:
        stages.append(stage)
        assert 0 <= fraction < 1
        kettle.heat(50)

    with watched(kettle, Care(max_temperature=60, cool_down=600), cool) as conditions:
        pass
    assert stages == ["cooling down from 71 to 60 °C"]
    assert conditions.report["before"]["temperature_c"] == 50


def test_it_gives_up_after_a_while(kettle: Kettle) -> None:
    kettle.heat(71)
    begin = time.monotonic()
    with (
        pytest.raises(DeviceError, match=r"^kettle: it has 71\.0 °C after 0\.1 s of waiting, more"),
        watched(kettle, Care(max_temperature=60, cool_down=0.1), nothing),
    ):
        pytest.fail("it was measured hot")
    assert time.monotonic() - begin >= 0.1


def test_a_device_without_a_temperature_is_not_waited_for(kettle: Kettle) -> None:
    with (
        pytest.raises(InputError, match="tells no temperature; leave --max-temperature out"),
        watched(kettle, Care(max_temperature=60), nothing),
    ):
        pytest.fail("it was measured")
    with watched(kettle, Care(), nothing) as conditions:
        pass
    assert conditions.report["before"]["temperature_c"] is None


def test_a_run_that_throttled_is_marked(kettle: Kettle) -> None:
    kettle.throttle(3)
    with watched(kettle, Care(), nothing) as conditions:
        kettle.throttle(4)
    assert conditions.report["throttled"] == ["throttled between two readings"]
    with watched(kettle, Care(), nothing) as conditions:
        pass
    assert conditions.report["throttled"] == []


def test_a_failure_within_ends_the_watch(kettle: Kettle) -> None:
    with pytest.raises(ZeroDivisionError), watched(kettle, Care(), nothing):
        raise ZeroDivisionError


def test_an_emulated_device_is_said_to_be_one(
    kettle: Kettle, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = BenchmarkOptions(warmup=0, seconds=0.01, use_library=False)
    for emulated in (False, True):
        if emulated:
            monkeypatch.setenv("BDNET_EMULATED", "1")
        with watched(kettle, Care(), nothing) as conditions:
            benchmark = kettle.benchmark(model, options)
        result = bench_result(kettle, model, [run_entry(benchmark)], conditions.report)
        assert result["emulated"] is emulated
