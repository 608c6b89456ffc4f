"""bdnet-export run as a user types it: cells that fail, Ctrl-C half way, and going on."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import tomlkit

from bdnet_export.matrix import process
from support.networks import TINY_SHAPE, tiny_network
from support.result_schemas import load_valid

COMMAND = [sys.executable, "-m", "bdnet_export.cli.main"]
QUICK: dict[str, Any] = {"seconds": 0.05, "warmup": 1}


class Lab:
    """A folder with two models, ``a.onnx`` and ``b.onnx``, and an inventory of a board that is
    not there.
    """

    def __init__(self, folder: Path, networks: Path) -> None:
        self.folder, self.results = folder, folder / "results"
        for name in ("a.onnx", "b.onnx"):
            shutil.copy(networks / name, folder)
        (folder / "lab.toml").write_text('[devices.gone]\nhost = "127.0.0.1"\nport = 1\n')

    def write(self, **values: Any) -> None:
        (self.folder / "bench.toml").write_text(tomlkit.dumps({"models": ["a.onnx"], **values}))

    def command(self, *arguments: object, name: str = "run") -> subprocess.CompletedProcess[str]:
        words = ("--config", "bench.toml") if name == "run" else ()
        return subprocess.run(
            [*COMMAND, name, *words, *map(str, arguments)],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def start(self, **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*COMMAND, "run", "--config", "bench.toml"], cwd=self.folder, text=True, **options
        )

    def states(self) -> dict[str, str]:
        """Runs it. What became of each cell, by its model and device."""
        finished = self.command("--json", "run.json")
        cells = load_valid("run", (self.folder / "run.json").read_text())["cells"]
        expected = 2 if any(cell["state"] == "failed" for cell in cells) else 0
        assert finished.returncode == expected, finished.stdout + finished.stderr
        return {f"{cell['model']} {cell['device']}": cell["state"] for cell in cells}

    def files(self, pattern: str = "*.json") -> dict[str, int]:
        """When those of the results folder were last written, by name."""
        return {file.name: file.stat().st_mtime_ns for file in self.results.glob(pattern)}

    def require_whole(self) -> None:
        """Every file is a result, and nothing is half."""
        for name in self.files():
            load_valid("bench", (self.results / name).read_text())
        assert not self.files("*.part")

    def processes(self) -> dict[int, str]:
        """Those of cells that run here, with their command lines."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (entry / "cwd").readlink() == self.folder and int(entry.name) != os.getpid():
                    found[int(entry.name)] = (entry / "cmdline").read_text()
        return {number: line for number, line in found.items() if line}


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import bdnet_export

    folder = tmp_path_factory.mktemp("networks")
    for seed, name in enumerate(("a.onnx", "b.onnx", "changed.onnx")):
        bdnet_export.export(tiny_network(seed), folder / name, input_shape=TINY_SHAPE)
    return folder


@pytest.fixture
def lab(tmp_path: Path, networks: Path) -> Lab:
    return Lab(tmp_path, networks)


def wait_until(happened: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_cell_that_fails_keeps_no_other_from_running(lab: Lab) -> None:
    lab.write(devices=["gone", "local"], inventory="lab.toml", **QUICK)
    planned = lab.command("--dry-run").stdout.splitlines()
    assert [line.split(" --json ")[0] for line in planned[:2]] == [
        f"bdnet-export bench a.onnx --device {device} --threads 1 --warmup 1 --seconds 0.05 "
        "--inventory lab.toml"
        for device in ("gone", "local")
    ]
    assert not lab.results.exists()

    finished = lab.command("--json", "run.json")
    assert finished.returncode == 2
    gone, local = load_valid("run", (lab.folder / "run.json").read_text())["cells"]
    assert (gone["state"], local["state"], local["passed"]) == ("failed", "done", True)
    sentence = "127.0.0.1 is there but refuses connections"
    assert f"a.onnx, 1 thread on gone: {sentence}" in finished.stdout
    assert "1 of 2 cells are measured (1 failed, 1 done)" in finished.stdout
    assert "local: 1 of 1, a.onnx, 1 thread: measuring" in finished.stderr
    (note,) = lab.files("*.txt")
    assert (lab.results / note).read_text().startswith(f"gone: {sentence}")
    assert note.startswith("a.gone.t1.")
    assert note.endswith(".failed.txt")
    assert [*lab.files()] == [local["file"]]
    lab.require_whole()
    result = json.loads((lab.results / local["file"]).read_text())
    assert shlex.join(result["command"]) == planned[1]

    planned = lab.command("--dry-run").stdout.splitlines()
    assert planned[0].startswith("bdnet-export bench a.onnx --device gone ")
    assert planned[1] == f"# there already: results/{local['file']}"
    page = lab.command("results", "-o", "report.csv", name="report")
    assert "from 1 result" in page.stdout


def test_after_ctrl_c_it_goes_on_with_what_is_missing(lab: Lab, networks: Path) -> None:
    lab.write(models=["a.onnx", "b.onnx"], seconds=0.5, warmup=1)
    status, shown = on_terminal(
        lab, lambda shown: "2 of 2" in shown and "measuring" in shown[-300:]
    )
    assert status == 130
    assert "1 of 2 cells are measured (1 done, 1 not run)" in shown
    assert "bdnet-export: interrupted" in shown
    before = lab.files()
    assert [name.split(".")[0] for name in before] == ["a"]
    lab.require_whole()
    assert not lab.files("*.txt")
    wait_until(lambda: not lab.processes(), 15)

    (lab.results / "b.local.t1.01234567.json.part").write_text("of a run that was killed")
    assert lab.states() == {"a.onnx local": "there", "b.onnx local": "done"}
    after = lab.files()
    assert before.items() < after.items()
    lab.require_whole()

    (result_of_b,) = after.keys() - before.keys()
    shutil.copy(networks / "changed.onnx", lab.folder / "a.onnx")
    planned = lab.command("--dry-run").stdout.splitlines()
    assert planned[0].startswith("bdnet-export bench a.onnx ")
    assert planned[1] == f"# there already: results/{result_of_b}"
    finished = lab.command()
    assert finished.returncode == 0, finished.stderr
    assert "2 of 2 cells are measured (1 done, 1 there)" in finished.stdout
    assert f"before a model or an option was changed: {next(iter(before))}" in finished.stdout
    assert after.items() < lab.files().items()
    lab.require_whole()

    (lab.results / result_of_b).write_text('{"half')
    planned = lab.command("--dry-run").stdout.splitlines()
    assert planned[0].startswith("# there already: ")
    assert planned[1].startswith("bdnet-export bench b.onnx ")


def on_terminal(lab: Lab, ripe: Callable[[str], bool]) -> tuple[int, str]:
    """Runs it on a terminal, where Ctrl-C is typed when what is shown is ``ripe``."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    running = lab.start(
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    shown, typed = "", False
    with running, suppress(OSError):  # the end of a terminal is an error to its reader
        while piece := os.read(ours, 65536).decode(errors="replace"):
            shown += piece
            if not typed and ripe(shown):
                typed = bool(os.write(ours, b"\x03"))
    os.close(ours)
    return running.wait(timeout=60), shown


def test_a_crash_ends_only_that_cell(lab: Lab) -> None:
    lab.write(models=["a.onnx", "b.onnx"], **QUICK)
    with lab.start(stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stderr is not None
        while "a.onnx, 1 thread: loading" not in running.stderr.readline():
            assert running.poll() is None
        (cell,) = (number for number in lab.processes() if number != running.pid)
        os.kill(cell, signal.SIGKILL)
        shown, errors = running.communicate(timeout=60)
    assert running.returncode == 2
    assert "a.onnx, 1 thread on local: its process was ended by SIGKILL" in shown
    assert "1 of 2 cells are measured (1 failed, 1 done)" in shown
    assert "Traceback" not in errors
    lab.require_whole()


def test_a_cell_has_no_more_than_its_time(lab: Lab) -> None:
    lab.write(time_limit=0.3, **QUICK)
    finished = lab.command()
    assert finished.returncode == 2
    assert "it took longer than the 0.3 s of time_limit and was ended" in finished.stdout
    assert not lab.files()
    assert not lab.files("*.part")


def test_one_that_hears_nothing_is_killed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is stopped while it measures, so it does not see that its input ends."""
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.5)
    monkeypatch.chdir(lab.folder)
    hanging = process.CellProcess(["bench", "a.onnx", "--no-library", "--seconds", "600"])

    def freeze(stage: str) -> None:
        if stage == "measuring":
            (leader,) = (n for n, line in lab.processes().items() if "cli.cell" in line)
            os.kill(leader, signal.SIGSTOP)
            hanging.stop()

    status, sentence = hanging.wait(600, freeze)
    assert status == -signal.SIGKILL
    assert sentence == "its process was ended by SIGKILL; the last that it said: measuring"
    wait_until(lambda: not lab.processes(), 15)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_whatever_ends_it_ends_its_cell(lab: Lab, how: signal.Signals) -> None:
    lab.write(seconds=600.0)
    with lab.start(stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as running:
        assert running.stderr is not None
        while "1 thread: measuring" not in running.stderr.readline():
            assert running.poll() is None
        second = lab.command()
        assert second.returncode == 2
        assert "another run is filling the folder results; wait for its end" in second.stderr
        running.send_signal(how)
        running.communicate(timeout=60)
    assert running.returncode == (130 if how == signal.SIGTERM else -how)
    wait_until(lambda: not lab.processes(), 15)
    assert not lab.files()


def test_a_result_does_not_go_among_the_results(lab: Lab) -> None:
    lab.results.mkdir()
    lab.write(**QUICK)
    finished = lab.command("--json", "results/run.json")
    assert finished.returncode == 2
    assert "is in the folder of the results, where a report would read it" in finished.stderr
