"""The action that users add to their repositories (action.yml), its steps run in such a repository.

The step that installs bdnet is left out: what is tested is installed.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch

import bdnet
from support.networks import SMALL
from support.workflow_steps import Step, action_inputs, action_steps

ROOT = Path(__file__).parents[1]
ACTION = ROOT / "action.yml"
CHECKPOINT = "model.safetensors"
INSTALL, EXPORT, BASE, MEASURE, COMMENT = action_steps(ACTION)

GH = """#!/bin/sh
printf '%s\\n' "$@" > "$GH_CALLS"
"""


class Repository:
    """A user's repository and a runner in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "repository"
        self.folder.mkdir()
        self.summary = folder / "summary.md"
        self.calls = folder / "gh.txt"
        commands = folder / "bin"
        commands.mkdir()
        (commands / "gh").write_text(GH)
        (commands / "gh").chmod(0o755)
        beside = Path(sys.executable).parent
        self.env = {
            "PATH": f"{commands}{os.pathsep}{beside}{os.pathsep}{os.environ['PATH']}",
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GH_CALLS": str(self.calls),
        }
        self.values = {
            **action_inputs(ACTION, source=CHECKPOINT, bench_options="--seconds 0.1"),
            "github.action_path": str(ROOT),
            "github.token": "token",
            "github.event.pull_request.base.sha": "",
            "github.event.pull_request.number": "",
        }
        self.git("init", "--quiet")

    def git(self, *arguments: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        command = ("git", *who, *arguments)
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, width: float) -> str:
        """Commits a checkpoint of a network of this width; returns the commit."""
        torch.manual_seed(0)
        network = bdnet.BDMobileNetV1(**SMALL["BDMobileNetV1"] | {"width": width})
        bdnet.save(network, self.folder / CHECKPOINT, input_shape=(3, 28, 28))
        self.git("add", CHECKPOINT)
        self.git("commit", "--quiet", "--message", f"width {width}")
        return self.git("rev-parse", "HEAD")

    def run(self, step: Step, status: int = 0) -> str:
        """Runs a step; returns what it printed."""
        done = step.run(self.folder, self.values, self.env)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_a_pull_request(repository: Repository) -> None:
    base = repository.commit(width=0.1)
    repository.commit(width=0.2)

    repository.run(EXPORT)
    checks = ElementTree.parse(repository.folder / "bdnet-parity" / "parity.xml").getroot()
    assert checks.get("failures") == "0"
    assert int(checks.get("tests", "0")) >= 5
    # A push has no base, and no pull request to comment.
    repository.run(BASE)
    assert not (repository.folder / "bdnet-parity" / "base.onnx").exists()
    repository.values["inputs.comment"] = "true"
    repository.run(COMMENT)
    assert not repository.calls.exists()

    repository.values["github.event.pull_request.base.sha"] = base
    repository.values["github.event.pull_request.number"] = "7"
    for step in (BASE, MEASURE, COMMENT):
        repository.run(step)
    change = repository.folder / "bdnet-parity" / "change.md"
    assert repository.summary.read_text() == change.read_text()
    row = re.search(r"\| file \| (\S+) MB \| (\S+) MB \| \+(\S+)% \|", change.read_text())
    assert row is not None, change.read_text()
    before, after, percent = map(float, row.groups())
    assert percent == pytest.approx(100 * (after / before - 1), abs=1)
    sizes = [(change.parent / f"{name}.onnx").stat().st_size for name in ("base", "model")]
    assert [before, after] == [round(size / 1e6, 3) for size in sizes]
    assert re.search(r"\| latency, median \| \S+ ms \| \S+ ms \| × ", change.read_text())
    assert repository.calls.read_text().split()[:3] == ["pr", "comment", "7"]


def test_a_file_without_a_base_is_one_column(tmp_path: Path) -> None:
    benchmark = {
        "threads": 2,
        "model": {"bytes": 41_234},
        "latency_ms": {"p50": 0.0584},
        "host": {"cpu": "Cortex-A76"},
    }
    measured = tmp_path / "bench.json"
    measured.write_text(json.dumps({"runs": [{"benchmark": benchmark}]}))
    command = (sys.executable, str(ROOT / "action" / "change.py"), str(measured))
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "| file | 0.041 MB |\n| latency, median | 0.058 ms |\n" in printed
    assert "Cortex-A76, 2 threads" in printed


UNSEEDED = """
import bdnet

def build():
    return bdnet.BDMobileNetV1(width=0.1, num_classes=3, in_channels=1)
"""


def test_without_parity_the_build_fails(repository: Repository) -> None:
    """A source that makes another network each time is never what was exported."""
    (repository.folder / "mine.py").write_text(UNSEEDED)
    repository.values |= {
        "inputs.source": "mine:build",
        "inputs.export-options": "--input-shape 1,28,28",
    }
    assert "constants equal the deployment form's" in repository.run(EXPORT, status=1)
    checks = ElementTree.parse(repository.folder / "bdnet-parity" / "parity.xml").getroot()
    assert int(checks.get("failures", "0")) > 0
