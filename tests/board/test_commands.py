"""Several boards at once, what a dry run shows, and TensorFlow Lite there.

The board is a real OpenSSH server on loopback with this machine's processor. One of another
processor is in tests/test_board_end_to_end.py.
"""

from __future__ import annotations

from typing import Any

from support import lite_models
from support.board_lab import Lab, python_of_board
from support.result_schemas import load_valid

QUICK = ("--seconds", 0.1, "--warmup", 1)


def test_deployed_side_by_side(lab: Lab) -> None:
    lab.add("pj", "--folder", "another")
    lab.run("devices", "add", "gone", "127.0.0.1", "--port", 1)
    done = lab.run("deploy", "m.onnx", "--device", "pi,pj,gone", status=2)
    assert "Deployed m.onnx to pi" in done.stdout
    assert "Deployed m.onnx to pj" in done.stdout
    assert "gone: 127.0.0.1 is there but refuses connections" in done.stdout
    assert {line.partition(":")[0] for line in done.stderr.splitlines()} == {"pi", "pj", "gone"}
    shown = lab.run("deploy", "m.onnx", "--device", "pi,pj", "--dry-run").stdout
    assert "Nothing was changed on pi" in shown
    assert "Nothing was changed on pj" in shown


def test_a_dry_run_of_validate_shows_the_commands_and_runs_none(lab: Lab) -> None:
    options = ("m.onnx", "fashion-mnist", "--random", 2, "--layers", "--device", "pi", "--dry-run")
    shown = lab.run("validate", *options)
    lines = shown.stdout.splitlines()
    there = [line for line in lines if "bdnet_runtime.verify import main" in line]
    assert len(there) == 2
    sent = [line for line in lines if "reference.npz" in line and line not in there]
    assert len(sent) == 2
    assert all(line.startswith("ssh -F") for line in [*there, *sent])
    assert "Nothing was changed on pi" in shown.stdout
    assert not list(lab.server.home.rglob("reference.npz"))
    for more, reason in (((), "there is no device to run on"), (("--json", "-"), "has no result")):
        refused = lab.run(
            "validate", *(options if more else options[:-3]), "--dry-run", *more, status=2
        )
        assert reason in refused.stderr


def test_tensorflow_lite_runs_there_in_an_environment_of_its_own(lab: Lab) -> None:
    """tflite-runtime 2.14 is for Python up to 3.11 and needs a numpy below 2."""
    lite_models.relu(lab.folder / "small.tflite")
    lab.add("lite", "--python", python_of_board((3, 11)), "--package", "tflite-runtime==2.14.0")
    options = ("--against", "small.tflite", "--threads", "1,2", "--rounds", 2, *QUICK)
    shown = lab.run("bench", "m.onnx", "--device", "lite", *options, "--json", "lite.json").stdout
    result: Any = load_valid("bench", (lab.folder / "lite.json").read_text())
    runs = [run for run in result["runs"] if run["name"] == "small.tflite"]
    engine = {"name": "tflite-runtime", "version": "2.14.0"}
    assert [(run["threads"], run["benchmark"]["engine"]) for run in runs] == [
        *((1, engine), (2, engine)),
    ]
    assert all(run["benchmark"]["versions"]["numpy"].startswith("1.") for run in runs)
    assert shown.count("TensorFlow Lite 2.14.0") == 2
    typed = ["bdnet-export", "bench", "m.onnx", "--device", "lite", *map(str, options)]
    assert result["command"] == [*typed, "--json", "lite.json"]
