"""What is written as JSON is as docs/results.md and docs/schemas say.

What commands, verifications and watches write is checked where those are tested.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support import lite_models, plain_models
from support.result_schemas import FOLDER, require_valid

PAGE = (Path(__file__).parents[1] / "docs" / "results.md").read_text()


def events(module: str, *arguments: object, says: str = "") -> list[object]:
    done = subprocess.run(
        [sys.executable, "-m", f"bdnet_runtime.{module}", *map(str, arguments)],
        input=says,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return plain_models.write(plain_models.conv_relu(), tmp_path / "model.onnx")


def test_a_benchmark(model: Path, tmp_path: Path) -> None:
    lite = lite_models.relu(tmp_path / "model.tflite")
    for arguments in ((model,), (model, "--no-library", "--profile"), (lite,)):
        *told, result = events("benchmark", *arguments, "--seconds", 0.01)
        require_valid("benchmark", result)
        for event in told:
            require_valid("events", event)


def test_a_benchmark_in_turns(model: Path) -> None:
    *told, result = events("benchmark", model, "--turns", says="0.01\n0.01\nend\n")
    require_valid("benchmark", result)
    for event in told:
        require_valid("events", event)


def test_the_page_names_every_field() -> None:
    for path in sorted(FOLDER.glob("*.schema.json")):
        schema = json.loads(path.read_text())
        assert f"schemas/{path.name}" in PAGE, f"docs/results.md does not link to {path.name}"
        missing = {
            field
            for field in _fields(schema)
            if not re.search(rf"`[^`\n]*\b{re.escape(field)}\b[^`\n]*`", PAGE)
        }
        assert not missing, f"docs/results.md does not name {missing} of {path.name}"


def _fields(schema: object) -> set[str]:
    """Of the schema itself and of all that it holds."""
    if isinstance(schema, list):
        return set().union(*map(_fields, schema))
    if not isinstance(schema, dict):
        return set()
    own = set(schema["properties"]) if isinstance(schema.get("properties"), dict) else set()
    return own.union(*(_fields(value) for value in schema.values()))
