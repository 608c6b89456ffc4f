"""From a checkpoint to a board's verified numbers, as a user types it.

A real OpenSSH server on loopback stands for the board; behind it commands truly run aarch64
Python, ONNX Runtime's own aarch64 build and our cross-compiled library, under qemu-user. Its times
are never shown as a device's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support import emulated_board, lite_models
from support.altered_files import change_constant
from support.result_schemas import load_valid
from support.sshd import Sshd, running

COMMAND = [sys.executable, "-m", "bdnet_export.cli.main"]


@dataclass
class Lab:
    """A folder to work in, an inventory in it, and the board ``pi``."""

    folder: Path
    server: Sshd

    def run(self, *arguments: object, status: int = 0) -> subprocess.CompletedProcess[str]:
        finished = subprocess.run(
            [*COMMAND, *map(str, arguments)],
            cwd=self.folder,
            # What is downloaded and cross-compiled is kept between runs of the tests.
            env={
                **os.environ,
                "XDG_CONFIG_HOME": str(self.folder / "config"),
                "XDG_CACHE_HOME": str(emulated_board.CACHE),
            },
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert finished.returncode == status, finished.stdout + finished.stderr
        return finished

    def json(self, name: str, schema: str) -> Any:
        return load_valid(schema, (self.folder / name).read_text())

    def files_there(self) -> list[Path]:
        store = self.server.home / ".bdnet"
        files = (path for path in store.rglob("*") if path.is_file())
        return sorted(path for path in files if path.name not in ("lock", "lock.alive"))


@pytest.fixture(scope="module", params=["cortex-a72", "cortex-a76"])
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    path = emulated_board.write_commands(folder / "commands", request.param)
    variables = {"PATH": path, **emulated_board.ENVIRONMENT}
    environment = " ".join(f"{name}={value}" for name, value in variables.items())
    with running(folder / "board", environment=environment) as server:
        made = Lab(folder, server)
        made.run("export", "fashion-mnist", "-o", "f.onnx")
        pins = [word for pin in emulated_board.PINS for word in ("--package", pin)]
        made.run("devices", "add", "pi", "board", "--ssh-config", server.config, *pins)
        yield made


def test_it_is_added_probed_and_examined(lab: Lab) -> None:
    assert "pi" in lab.run("devices", "list").stdout
    lab.run("devices", "probe", "pi", "--json", "probe.json")
    facts = lab.json("probe.json", "devices")
    assert (facts["machine"], facts["isa"]) == ("aarch64", "neon")
    assert "pi is ready" in lab.run("devices", "doctor", "pi").stdout


def test_a_dry_run_changes_nothing(lab: Lab) -> None:
    before = lab.files_there()
    shown = lab.run("deploy", "f.onnx", "--device", "pi", "--dry-run").stdout
    assert "Nothing was changed on pi" in shown
    assert "ssh -F" in shown
    shown = lab.run("bench", "f.onnx", "--device", "pi", "--threads", "1,2", "--dry-run").stdout
    there = [line for line in shown.splitlines() if line.startswith("ssh -F")]
    for module, times in (("verify", 1), ("monitor", 1), ("benchmark", 2)):
        assert sum(f"bdnet_runtime.{module} import main" in line for line in there) == times
    assert lab.files_there() == before


def test_what_is_there_is_not_sent_again(lab: Lab) -> None:
    lab.run("deploy", "f.onnx", "--device", "pi")
    files = {path: path.stat().st_mtime_ns for path in lab.files_there()}
    assert any(path.name == "f.onnx" for path in files)
    assert not [path for path in files if path.suffix in (".part", ".whl")]
    assert "it was all there" in lab.run("deploy", "f.onnx", "--device", "pi").stdout
    assert {path: path.stat().st_mtime_ns for path in lab.files_there()} == files
    lab.server.wait_until_idle()


def test_it_is_the_network_bit_for_bit(lab: Lab) -> None:
    shown = lab.run("validate", "f.onnx", "fashion-mnist", "--random", 5, "--device", "pi").stdout
    assert "features equal on pi" in shown
    assert "0 of 5,120 values differ on 5 images" in shown
    lab.server.wait_until_idle()


MODULE = """
import torch
from torch import nn
from bdnet.layers import BinaryConv2d
from bdnet.units import SignUnit

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, 2, 1)
        self.unit = SignUnit(BinaryConv2d(8, 8, 3, 1, 1))
        self.between = nn.Conv2d(8, 8, 1)
        self.last = SignUnit(BinaryConv2d(8, 5, 1), residual="none")

    def forward(self, image):
        return self.last(torch.tanh(self.between(self.unit(self.first(image))))).mean((2, 3))

def build():
    torch.manual_seed(0)
    return Net()
"""


def test_a_module_is_equal_region_by_region(lab: Lab) -> None:
    (lab.folder / "mine.py").write_text(MODULE)
    lab.run("export", "mine:build", "-o", "mine.onnx", "--input-shape", "3,8,8")
    options = ("--random", 2, "--device", "pi", "--json", "mine.json")
    shown = lab.run("validate", "mine.onnx", "mine:build", *options).stdout
    assert "0 of 416 values of 2 binary regions differ" in shown
    checks = {
        check["name"]: check["passed"] for check in lab.json("mine.json", "validate")["checks"]
    }
    assert checks["regions equal on pi"]
    assert checks["float regions on pi"]
    lab.server.wait_until_idle()


def test_a_changed_file_is_found_there(lab: Lab) -> None:
    def flip(packed: np.ndarray) -> None:
        packed.reshape(-1)[0] ^= 1

    changed = lab.folder / "changed.onnx"
    change_constant(lab.folder / "f.onnx", changed, "body.2.pointwise.conv.weight", flip)
    options = ("validate", changed.name, "fashion-mnist", "--random", 2, "--device", "pi")
    shown = lab.run(*options, status=1).stdout
    (line,) = (line for line in shown.splitlines() if "features equal on pi" in line)
    assert "FAILED" in line
    assert "first in body.2" in shown


def test_it_is_measured_and_its_times_are_not_shown(lab: Lab) -> None:
    lite_models.relu(lab.folder / "small.tflite")
    shown = lab.run(
        *("bench", "f.onnx", "--device", "pi,local", "--source", "fashion-mnist"),
        *("--against", "fp32,small.tflite", "--rounds", 2, "--seconds", 0.2, "--warmup", 1),
        *("--json", "bench.json"),
    ).stdout
    board, here = lab.json("bench.json", "bench")["of"]
    assert (board["device"]["name"], here["device"]["name"]) == ("pi", "local")
    assert (board["emulated"], here["emulated"]) == (True, False)
    for result in (board, here):
        assert result["schema"] == 2
        assert (result["parity"]["passed"], result["parity"]["different"]) == (True, 0)
        assert [run["name"] for run in result["runs"]] == ["model", "fp32", "small.tflite"]
        engines = [run["benchmark"]["engine"]["name"] for run in result["runs"]]
        assert engines == ["onnxruntime", "onnxruntime", "ai-edge-litert"]
        assert result["conditions"]["before"]["time"] <= result["conditions"]["after"]["time"]
    assert board["runs"][0]["benchmark"]["isa"] == "neon"
    assert board["runs"][0]["benchmark"]["host"]["machine"] == "aarch64"
    of_board, of_here = shown.split("\nlocal\n")
    assert " emulated" in of_board
    assert " ms" not in of_board
    assert " ms" in of_here
    lab.server.wait_until_idle()


def test_a_matrix_is_measured_there_once(lab: Lab) -> None:
    (lab.folder / "bench.toml").write_text(
        'models = ["f.onnx"]\ndevices = ["pi"]\nseconds = 0.2\nwarmup = 1\n'
    )
    command = ("run", "--config", "bench.toml", "--json", "run.json")
    shown = lab.run(*command).stdout
    (cell,) = lab.json("run.json", "run")["cells"]
    assert (cell["state"], cell["passed"]) == ("done", True)
    result = lab.json(f"results/{cell['file']}", "bench")
    assert (result["device"]["name"], result["emulated"]) == ("pi", True)
    assert " emulated" in shown
    assert " ms" not in shown
    lab.server.wait_until_idle()
    assert "1 of 1 cells are measured (1 there)" in lab.run(*command).stdout


def test_clean_leaves_nothing(lab: Lab) -> None:
    theirs = lab.server.home / "notes.txt"
    theirs.write_text("theirs")
    lab.run("deploy", "f.onnx", "--device", "pi")
    assert "Freed" in lab.run("devices", "clean", "pi").stdout
    assert sorted(lab.server.home.iterdir()) == [theirs]
