"""The monitor: readings while something else runs, and a governor that comes back in any case.

The governor is that of a folder laid out like /sys, since this machine may have none.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from bdnet_runtime import InputError
from bdnet_runtime.monitor import WatchOptions
from support.result_schemas import load_valid

FILES = {
    f"sys/devices/system/cpu/cpufreq/policy{i}/{name}": text
    for i, before in ((0, "ondemand"), (4, "schedutil"))
    for name, text in {
        "scaling_governor": before,
        "scaling_available_governors": "ondemand schedutil performance",
    }.items()
}
RUN = """
import sys
from pathlib import Path
from bdnet_runtime.events import run_main
from bdnet_runtime.monitor import WatchOptions, monitor
sys.exit(run_main(lambda: monitor(WatchOptions(sys.argv[2], 0.05), Path(sys.argv[1]))))
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def governors(root: Path) -> list[str]:
    files = sorted((root / "sys/devices/system/cpu/cpufreq").glob("*/scaling_governor"))
    return [file.read_text() for file in files]


def start(root: Path, governor: str = "performance") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, root, governor],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def test_it_reads_until_it_is_told_to_end(root: Path) -> None:
    with start(root) as process:
        assert json.loads(pipe(process.stdout).readline()) == {"event": "ready"}
        assert governors(root) == ["performance", "performance"]
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        result = load_valid("monitor", process.communicate("end\n")[0])
    assert process.returncode == 0
    assert governors(root) == ["ondemand", "schedutil"]
    assert (result["event"], result["schema"]) == ("result", 1)
    assert result["before"]["governor"] == "ondemand,schedutil"
    assert result["after"]["governor"] == "performance"
    assert result["governor_set"] == "performance"
    assert result["during"]
    assert (result["throttled"], result["clock"]["jumped"]) == ([], False)


def _close(process: subprocess.Popen[str]) -> None:
    pipe(process.stdin).close()


@pytest.mark.parametrize(
    "leave",
    [
        _close,
        lambda process: process.send_signal(signal.SIGTERM),
        lambda process: process.send_signal(signal.SIGHUP),
        lambda process: process.send_signal(signal.SIGINT),
    ],
    ids=["end of input", "SIGTERM", "SIGHUP", "SIGINT"],
)
def test_the_governor_comes_back(
    leave: Callable[[subprocess.Popen[str]], None], root: Path
) -> None:
    with start(root) as process:
        pipe(process.stdout).readline()
        assert governors(root) == ["performance", "performance"]
        leave(process)
        assert process.wait(timeout=30) != 0
        assert "Traceback" not in pipe(process.stderr).read()
    assert governors(root) == ["ondemand", "schedutil"]


def test_the_governor_comes_back_when_the_client_is_killed(root: Path) -> None:
    client = subprocess.Popen(
        [
            *(sys.executable, "-c"),
            "import subprocess, sys, time\n"
            "p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
            "p.stdout.readline(); print(p.pid, flush=True); time.sleep(600)",
            *(sys.executable, "-c", RUN, root, "performance"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    with client:
        monitor = int(pipe(client.stdout).readline())
        assert governors(root) == ["performance", "performance"]
        client.kill()
    descriptor = os.pidfd_open(monitor)
    assert select.select([descriptor], [], [], 30)[0]
    os.close(descriptor)
    assert governors(root) == ["ondemand", "schedutil"]


@pytest.mark.parametrize(
    ("files", "governor", "says"),
    [
        (False, "performance", "this machine shows none; leave --governor out"),
        (True, "fast", "there is no governor 'fast' here; expected one of ondemand, schedutil"),
    ],
)
def test_what_cannot_be_set_is_one_sentence(
    files: bool, governor: str, says: str, root: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    with start(root if files else empty, governor) as process:
        _, errors = process.communicate("end\n")
    assert process.returncode == 2
    assert says in errors
    assert len(errors.splitlines()) == 1
    assert governors(root) == ["ondemand", "schedutil"]


def test_an_interval_is_above_zero() -> None:
    with pytest.raises(InputError, match="interval is 0; expected a number of seconds above 0"):
        WatchOptions(interval=0)
