"""What the machine tells of itself, read from trees that stand for other machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from bdnet_runtime.host import describe_host
from bdnet_runtime.latency import summarise


def _tree(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def test_a_board(tmp_path: Path) -> None:
    cpufreq = "sys/devices/system/cpu/cpu0/cpufreq/"
    root = _tree(
        tmp_path,
        {
            "proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd crc32 asimddp\nprocessor\t: 1\n",
            "proc/device-tree/model": "Some Board Rev 1.0\0",
            "proc/meminfo": "MemTotal:        3884352 kB\nMemFree:  100 kB\n",
            "etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n',
            cpufreq + "scaling_governor": "ondemand\n",
            cpufreq + "scaling_cur_freq": "1500000\n",
        },
    )
    found = describe_host(root)
    assert found["board"] == "Some Board Rev 1.0"
    assert found["cpu"] is None
    assert found["features"] == ["asimd", "asimddp"]
    assert (found["governor"], found["frequency_mhz"]) == ("ondemand", 1500.0)
    assert found["memory_bytes"] == 3884352 * 1024
    assert found["os"] == "Debian GNU/Linux 13 (trixie)"


def test_a_pc(tmp_path: Path) -> None:
    lines = "model name\t: Some CPU @ 2.0GHz\nflags\t\t: fpu sse4_2 avx2 fma\n"
    found = describe_host(_tree(tmp_path, {"proc/cpuinfo": lines}))
    assert found["cpu"] == "Some CPU @ 2.0GHz"
    assert found["features"] == ["avx2", "fma", "sse4_2"]


def test_what_a_machine_does_not_tell_is_none(tmp_path: Path) -> None:
    found = describe_host(tmp_path)
    for name in ("board", "cpu", "features", "governor", "frequency_mhz", "memory_bytes"):
        assert found[name] is None


@pytest.mark.parametrize("said", ["<unknown>", "", "MHz 1500"])
def test_what_a_machine_tells_wrongly_is_none(tmp_path: Path, said: str) -> None:
    frequency = "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"
    found = describe_host(_tree(tmp_path, {frequency: said, "proc/meminfo": f"MemTotal: {said}"}))
    assert found["frequency_mhz"] is None
    assert found["memory_bytes"] is None


def test_no_sample_is_dropped() -> None:
    """One slow run in a hundred is what throttling looks like: mean and p99 must show it."""
    found = summarise([1.0] * 99 + [1000.0])
    assert found["mean"] == pytest.approx(10.99)
    assert found["p99"] > 1.0
    assert found["p50"] == found["min"] == 1.0
    assert found["stdev"] == pytest.approx(99.9)
