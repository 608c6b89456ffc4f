"""The plain install, which is what a board gets: NumPy and ONNX Runtime, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support import plain_models
from support.import_blocker import run_without

NOT_ON_A_BOARD = (
    "torch",
    "onnx",
    "onnx_ir",
    "onnxscript",
    "safetensors",
    "typer",
    "rich",
    "PIL",
    "bdnet",
    "bdnet_export",
)

INFER = """
import sys
import bdnet_devices, bdnet_runtime, numpy
session = bdnet_runtime.create_session(sys.argv[1], use_library=False)
(y,) = session.run(None, {"x": numpy.zeros((2, 3, 16, 16), numpy.float32)})
print(y.shape)
"""

MEASURE = """
import runpy
runpy.run_module("bdnet_runtime.benchmark", run_name="__main__", alter_sys=True)
"""

COMMAND = """
from bdnet_export.cli.main import main
sys.exit(main())
"""


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(plain_models.write(plain_models.conv_relu(), tmp_path / "model.onnx"))


def test_it_runs_a_model(model: str) -> None:
    finished = run_without(NOT_ON_A_BOARD, INFER, model)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.strip() == "(2, 8, 14, 14)"


def test_it_measures_a_model(model: str) -> None:
    arguments = ("--no-library", "--seconds", "0.05")
    finished = run_without(NOT_ON_A_BOARD, MEASURE, model, *arguments)
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout.splitlines()[-1])["event"] == "result"


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_the_command_says_what_to_install(missing: str) -> None:
    finished = run_without([missing], COMMAND, "demo")
    assert finished.returncode == 2
    assert f"the package {missing!r} is not installed" in finished.stderr
    assert "pip install 'bdnet[export]'" in finished.stderr
    assert len(finished.stderr.splitlines()) == 1


def test_a_command_that_needs_torch_says_so(tmp_path: Path) -> None:
    arguments = ("export", "any.safetensors", "-o", str(tmp_path / "out.onnx"))
    finished = run_without(["torch"], COMMAND, *arguments)
    assert finished.returncode == 2
    assert "the package 'torch' is not installed" in finished.stderr.splitlines()[-1]
    assert "Traceback" not in finished.stderr
