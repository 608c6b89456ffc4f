"""The main job on real images: what ``make demo`` shows, from the command line to the table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.result_schemas import load_valid


def test_demo(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bdnet_export.cli.main", "demo", "--output", "out"]
    done = subprocess.run(
        [*command, "--seconds", "0.2", "--json", "demo.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = load_valid("demo", (tmp_path / "demo.json").read_text())
    validation = result["validation"]
    assert validation["passed"]
    assert validation["images"] == 400
    assert validation["values_different"] == 0
    assert validation["values_compared"] > 0
    assert validation["accuracy_onnx"] > 0.8
    assert abs(validation["accuracy_onnx"] - validation["accuracy_pytorch"]) <= 0.01
    assert (tmp_path / "out" / "fashion-mnist.onnx").stat().st_size == result["export"]["bytes"]
    last = done.stdout.splitlines()[-1]
    assert " MB)" in last
    assert last.endswith(" s")
    for name in ("accuracy, PyTorch", "accuracy, ONNX", "images compared", "values that differ"):
        assert name in done.stdout
    for percentile in ("p50", "p90", "p99"):
        assert done.stdout.count(percentile) >= 2, "with the library and without"
