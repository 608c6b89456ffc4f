"""A module with several inputs through every command, as a user types it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bdnet_export
from bdnet import Preprocessing
from support.command_folder import QUICK, CommandFolder
from support.result_schemas import load_valid
from support.two_inputs import scores

MODULE = """
from support.two_inputs import scores as build, two
"""
EXPORT = (
    *("pair:build", "-o", "all.onnx", "--input", "uint8", "--classifier", "int8"),
    *("--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225", "--opset", 20),
    *("--input-shape", "depth=1,12,10", "--input-shape", "image=3,12,10"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> CommandFolder:
    made = CommandFolder(tmp_path_factory.mktemp("two"), "pair", MODULE)
    result = load_valid("export", made.export(*EXPORT, "--json", "-"))
    assert result["inputs"] == {"image": [3, 12, 10], "depth": [1, 12, 10]}
    assert result["input_shape"] == [3, 12, 10]
    assert result["outputs"] == ["output"]
    np.savez(made.path / "half.npz", image=np.zeros((6, 3, 12, 10), np.uint8))
    return made


def test_another_process_writes_the_same_bytes(folder: CommandFolder, tmp_path: Path) -> None:
    again = tmp_path / "again.onnx"
    bdnet_export.export(
        scores(),
        again,
        input_shape=[(3, 12, 10), (1, 12, 10)],
        opset=20,
        preprocessing=Preprocessing((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        as_bytes=True,
        int8_classifier=True,
    )
    assert again.read_bytes() == (folder.path / "all.onnx").read_bytes()


def test_it_is_validated_on_noise_and_on_arrays_by_their_names(folder: CommandFolder) -> None:
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {
        "depth": rng.standard_normal((6, 1, 12, 10), dtype=np.float32),
        "image": rng.integers(0, 256, (6, 3, 12, 10), np.uint8),
    }
    np.savez(folder.path / "pairs.npz", **arrays, labels=np.arange(6))
    report = folder.json("validate", "all.onnx", "pair:build", "--random", 3)
    assert report["passed"]
    assert report["inputs"] == "3 random values of each input"
    assert report["accuracy_onnx"] is None
    shown, _ = folder.run("validate", "all.onnx", "pair:build", "--images", "pairs.npz")
    assert "int8 classifier without the library" in shown
    assert "Accuracy on these images: PyTorch " in shown
    assert " with its int8 classifier" in shown


def test_it_is_shown_and_measured(folder: CommandFolder) -> None:
    shown, _ = folder.run("inspect", "all.onnx")
    assert "image batch x 12 x 10 x 3, uint8" in shown
    assert "depth batch x 1 x 12 x 10, float32" in shown
    shown, _ = folder.run("bench", "all.onnx", *QUICK, "--batch", 2, "--json", "bench.json")
    assert "[2, 12, 10, 3] uint8, [2, 1, 12, 10] float32, noise" in shown
    result = load_valid("bench", (folder.path / "bench.json").read_text())
    (measured,) = result["runs"]
    assert [one["name"] for one in measured["benchmark"]["inputs"]] == ["image", "depth"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["validate", "all.onnx", "pair:build", "--images", "half.npz"], "no array 'depth'; it"),
        (["validate", "all.onnx", "pair:build", "--images", "pair.py"], "is no .npz file; give"),
        (
            ["validate", "all.onnx", "pair:build", "--size", "8,8"],
            "reads image uint8 [N, 12, 1",
        ),
        (["inspect", "all.onnx", "--size", "8,8"], "all.onnx always reads 12 x 10"),
        (
            ["export", *EXPORT[:-1], "3,12,10"],
            "'--input-shape': some inputs have no name, or the same; give NAME=C,H,W for each",
        ),
        (["export", *EXPORT[:-2]], "forward reads image, depth; shapes given: depth; give one for"),
        (
            ["export", *EXPORT[:3], "--input-shape", "3,0"],
            "'3,0' is not a shape; expected C,H,W, for example 3,224,224",
        ),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_what_does_not_fit_is_one_sentence(
    folder: CommandFolder, arguments: list[str], says: str
) -> None:
    assert says in folder.refused(*arguments)
