"""What a machine tells of its temperature, clock and throttling.

The folders and commands are laid out as the makers of Raspberry Pi and Jetson describe them; they
are stand-ins, since no board is here.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bdnet_runtime.conditions import read_conditions, throttled


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


def command(folder: Path, name: str, says: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\ncat <<'END'\n{says}\nEND\n")
    (folder / name).chmod(0o755)


PI = {
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal",
    "sys/class/thermal/thermal_zone0/temp": "48312",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1500000",
    "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq": "2400000",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_governor": "ondemand",
}


def test_a_raspberry_pi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    command(tmp_path / "bin", "vcgencmd", "throttled=0x0")
    root = write(tmp_path / "root", PI)
    cool = read_conditions(root)
    assert cool["temperature_c"] == pytest.approx(48.312)
    assert cool["temperatures_c"] == {"cpu-thermal": pytest.approx(48.312)}
    assert cool["frequency_mhz"] == [1500, 2400]
    assert cool["governor"] == "ondemand"
    assert cool["throttling"] == []
    assert throttled([cool, cool]) == []

    command(tmp_path / "bin", "vcgencmd", "throttled=0x50005")
    hot = read_conditions(root)
    assert hot["throttling"] == ["under-voltage", "throttled"]
    assert throttled([cool, hot]) == [
        "throttled",
        "throttled between two readings",
        "under-voltage",
    ]
    # Between two readings, and over again: what is left is the mark that it has been.
    command(tmp_path / "bin", "vcgencmd", "throttled=0x50000")
    assert throttled([cool, read_conditions(root)]) == ["throttled between two readings"]


def test_a_jetson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    command(tmp_path / "bin", "nvpmodel", "NV Power Mode: MAXN\n0")
    rail = "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3"
    files = {
        f"{rail}/in1_label": "VDD_IN",
        f"{rail}/in1_input": "5000",
        f"{rail}/curr1_input": "1200",
        f"{rail}/in2_label": "VDD_CPU_GPU_CV",
        "sys/class/thermal/thermal_zone0/type": "cpu-thermal",
        "sys/class/thermal/thermal_zone0/temp": "51000",
        "sys/class/thermal/thermal_zone1/type": "gpu-thermal",
        "sys/class/thermal/thermal_zone1/temp": "-256000000000",
        "sys/class/thermal/thermal_zone2/type": "tj-thermal",
    }
    found = read_conditions(write(tmp_path / "root", files))
    assert found["power_mode"] == "MAXN"
    assert found["power_mw"] == {"VDD_IN": 6000}
    assert found["temperature_c"] == 51


def test_a_machine_that_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = read_conditions(tmp_path)
    assert found.pop("time") > 0
    assert found == {
        "temperature_c": None,
        "temperatures_c": {},
        "frequency_mhz": [],
        "governor": None,
        "throttling": [],
        "throttle_events": None,
        "power_mode": None,
        "power_mw": {},
    }
