"""The options of export that change what a file reads or holds, as a user types them.

Each file goes through every command that takes it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.result_schemas import load_valid

QUICK = ("--seconds", 0.05, "--warmup", 1)
MEAN, STD = "0.485,0.456", "0.229,0.225"
MODULE = """
from support.networks import tiny_network

def build():
    return tiny_network(seed=1)
"""


class Folder:
    """A user's folder with a module of their own, and the command run in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        tests = Path(__file__).parent
        (path / "mine.py").write_text(f"import sys\nsys.path.append({str(tests)!r})\n{MODULE}")

    def run(self, *arguments: object, status: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "bdnet_export.cli.main", *map(str, arguments)],
            cwd=self.path,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done

    def json(self, schema: str, *arguments: object) -> Any:
        return load_valid(schema, self.run(*arguments, "--json", "-").stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tmp_path_factory.mktemp("options"))


# --input uint8


@pytest.fixture(scope="module")
def of_bytes(folder: Folder) -> Folder:
    result = folder.json(
        *("export", "export", "mine:build", "-o", "bytes.onnx", "--input-shape", "2,11,9"),
        *("--input", "uint8", "--mean", MEAN, "--std", STD),
    )
    assert result["input"] == "uint8"
    assert result["preprocessing"] == {"mean": [0.485, 0.456], "std": [0.229, 0.225]}
    return folder


def test_a_file_of_bytes_is_validated_on_bytes(of_bytes: Folder) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 2, 11, 9), np.uint8)
    np.savez(of_bytes.path / "images.npz", images=images, labels=np.zeros(3, np.int64))
    arguments = ("validate", "validate", "bytes.onnx", "mine:build", "--layers")
    for more in ((), ("--images", "images.npz", "--device", "local")):
        report = of_bytes.json(*arguments, *more)
        assert report["passed"]
        assert report["values_different"] == 0
        assert report["images"] == (3 if more else 32)


def test_a_file_of_bytes_is_shown_and_measured(of_bytes: Folder) -> None:
    shown = of_bytes.run("inspect", "bytes.onnx").stdout
    assert "image batch x 11 x 9 x 2, uint8" in shown
    assert '{"dtype": "uint8", "layout": "NHWC"}' in shown
    # Verified on a device first, and beside the file's own standard operators.
    result = of_bytes.json(
        *("bench", "bench", "bytes.onnx", "--source", "mine:build", "--batch", 2),
        *("--against", "no-library", "--rounds", 2, *QUICK),
    )
    assert result["parity"]["passed"]
    for run in result["runs"]:
        assert run["benchmark"]["input"]["dtype"] == "uint8"
        assert run["benchmark"]["input"]["shape"] == [2, 11, 9, 2]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--input", "int8"], "'int8' is no input; expected float32 "),
        (["--mean", MEAN, "--std", STD], "'--mean': it is part of a file that reads bytes; add"),
        (["--input", "uint8", "--mean", MEAN], "'--std': it is missing; give --mean and --std"),
        (["--input", "uint8", "--mean", "a", "--std", STD], "'a' is not one number for each"),
        (["--input", "uint8", "--mean", "nan", "--std", "1"], "'nan' is not one number for each"),
        (["--input", "uint8", "--mean", "0,0", "--std", "1"], "one positive std for each channel"),
        (["--input", "uint8", "--mean", "0", "--std", "1"], "for 1 channels, but the network"),
        (["--input", "uint8"], "'mine:build' does not say how its images are normalised; give"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_makes_no_sense_is_one_sentence(
    folder: Folder, arguments: list[str], says: str
) -> None:
    given = ("export", "mine:build", "-o", "none.onnx", "--input-shape", "2,11,9")
    done = folder.run(*given, *arguments, status=2)
    sentence = done.stderr.splitlines()[-1]
    assert sentence.startswith("bdnet-export: ")
    assert says in sentence
    assert not (folder.path / "none.onnx").exists()
