"""The main job on real images: what ``make demo`` shows, from the command line to the table."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

import bdnet
from bdnet import zoo


def test_demo(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bdnet_export.cli.main", "demo", "--output", "out"]
    done = subprocess.run(
        [*command, "--seconds", "0.2", "--json", "demo.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "demo.json").read_text())
    validation = result["validation"]
    assert validation["passed"]
    assert validation["images"] == 400
    assert validation["values_different"] == 0
    assert validation["values_compared"] > 0
    assert validation["accuracy_onnx"] == validation["accuracy_pytorch"]
    assert (tmp_path / "out" / "fashion-mnist.onnx").stat().st_size == result["export"]["bytes"]
    for name in ("accuracy, PyTorch", "accuracy, ONNX", "images compared", "values that differ"):
        assert name in done.stdout
    for percentile in ("p50", "p90", "p99"):
        assert done.stdout.count(percentile) >= 2, "with the library and without"


def test_the_shipped_checkpoint_is_what_its_metadata_says() -> None:
    path = zoo.checkpoint_path("fashion-mnist")
    training = bdnet.read_metadata(path).training
    assert training is not None
    held_out = zoo.held_out_images("fashion-mnist")
    assert held_out is not None
    with np.load(held_out) as arrays:
        images, labels = arrays["images"], arrays["labels"]
    preprocessing = bdnet.read_metadata(path).preprocessing
    assert preprocessing is not None
    with torch.no_grad():
        logits = bdnet.load(path)(torch.from_numpy(preprocessing(images)))
    accuracy = float(np.mean(logits.argmax(1).numpy() == labels))
    # 400 of the 10,000 test images: three standard deviations of a share of them.
    spread = 3 * np.sqrt(accuracy * (1 - accuracy) / len(labels))
    assert abs(accuracy - training["test_accuracy"]) < spread
    readme = (path.parent / "README.md").read_text()
    assert training["command"] in readme
    assert f"{100 * training['test_accuracy']:.2f} %" in readme
