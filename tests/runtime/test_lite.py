"""A .tflite file is measured as an .onnx file is, by the same command."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from ai_edge_litert.schema_py_generated import TensorType

from support import lite_models, plain_models
from support.import_blocker import run_without

COMMAND = [sys.executable, "-m", "bdnet_runtime.benchmark"]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=120
    )


def result_of(finished: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert finished.returncode == 0, finished.stderr
    result: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return result


def test_the_result_has_the_form_of_every_other(tmp_path: Path) -> None:
    lite = result_of(
        run(lite_models.relu(tmp_path / "m.tflite"), "--seconds", 0.01, "--threads", 2)
    )
    model = plain_models.write(plain_models.conv_relu(), tmp_path / "m.onnx")
    other = result_of(run(model, "--no-library", "--seconds", 0.01))
    assert lite.keys() == other.keys()
    assert lite["engine"] == {"name": "ai-edge-litert", "version": version("ai-edge-litert")}
    assert other["engine"]["name"] == "onnxruntime"
    assert (lite["threads"], lite["use_library"], lite["isa"]) == (2, False, None)
    assert lite["input"]["shape"] == [1, 4, 4, 3]
    assert len(lite["samples_ms"]) >= 10
    assert lite["memory"]["model_bytes"] > 0
    assert lite["clock"]["jumped"] is False


def test_an_open_batch_is_what_is_asked_for(tmp_path: Path) -> None:
    result = result_of(
        run(lite_models.relu(tmp_path / "m.tflite"), "--seconds", 0.01, "--batch", 3)
    )
    assert (result["batch"], result["input"]["shape"]) == (3, [3, 4, 4, 3])


def _missing(folder: Path) -> Path:
    return folder / "missing.tflite"


def _junk(folder: Path) -> Path:
    path = folder / "junk.tflite"
    path.write_bytes(b"not a model at all")
    return path


def _fixed(folder: Path) -> Path:
    return lite_models.relu(folder / "m.tflite", (1, 4, 4, 3))


def _open_size(folder: Path) -> Path:
    return lite_models.relu(folder / "m.tflite", (1, lite_models.OPEN, 4, 3))


def _integers(folder: Path) -> Path:
    return lite_models.relu(folder / "m.tflite", data_type=TensorType.INT8)


@pytest.mark.parametrize(
    ("model", "options", "says"),
    [
        (_missing, (), "missing.tflite does not exist; expected a .tflite file"),
        (_junk, (), "junk.tflite is not a model that LiteRT can load: "),
        (_fixed, ("--batch", 3), "the batch is 3, but the model always reads 1"),
        (_open_size, (), "is an image of any size; say which, for example --size"),
        (_integers, (), "the inputs of {path} are 'x' int8; expected one of float32"),
        (_fixed, ("--isa", "avx2"), "isa is 'avx2', but {path} does not use bdnet's kernels"),
        (_fixed, ("--profile",), "{path} cannot be profiled: layers are timed in ONNX Runtime"),
        (_fixed, ("--threads", 0), "threads is 0; expected 1 to 1024"),
    ],
)
def test_bad_input_is_one_sentence(
    model: Callable[[Path], Path], options: tuple[object, ...], says: str, tmp_path: Path
) -> None:
    path = model(tmp_path)
    finished = run(path, *options)
    assert finished.returncode == 2
    assert says.format(path=path) in finished.stderr.splitlines()[-1]
    assert "Traceback" not in finished.stderr


def test_without_litert_the_sentence_says_how_to_get_it(tmp_path: Path) -> None:
    code = "import sys; from bdnet_runtime.benchmark import main; sys.exit(main(sys.argv[1:]))"
    path = lite_models.relu(tmp_path / "m.tflite")
    finished = run_without(["ai_edge_litert", "tflite_runtime"], code, str(path))
    assert finished.returncode == 2
    assert finished.stderr == (
        ".tflite files are run by LiteRT, which this Python does not have; add it with: "
        f"{sys.executable} -m pip install ai-edge-litert\n"
    )
