"""bdnet-export bench on devices and beside LiteRT, as a user types it. A board of another
processor is in tests/test_board_end_to_end.py, the rest of bench in tests/test_cli.py.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support import lite_models, plain_models
from support.import_blocker import run_without
from support.networks import TINY_SHAPE, tiny_network
from support.result_schemas import load_valid

QUICK = ("--seconds", 0.05, "--warmup", 1)


def bench(folder: Path, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*(sys.executable, "-m", "bdnet_export.cli.main", "bench"), *map(str, arguments)],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a model, a .tflite file, and an inventory whose only board is not there."""
    plain_models.write(plain_models.conv_relu(), tmp_path / "plain.onnx")
    lite_models.relu(tmp_path / "small.tflite")
    (tmp_path / "lab.toml").write_text('[devices.gone]\nhost = "127.0.0.1"\nport = 1\n')
    return tmp_path


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import bdnet_export

    path = tmp_path_factory.mktemp("network") / "network.onnx"
    bdnet_export.export(tiny_network(), path, input_shape=TINY_SHAPE)
    return path


def test_a_tflite_file_is_measured_beside_and_its_engine_is_named(folder: Path) -> None:
    finished = bench(
        *(folder, "plain.onnx", "--no-library", "--against", "small.tflite"),
        *("--threads", "1,2", "--rounds", 2, *QUICK, "--json", "result.json"),
    )
    assert finished.returncode == 0, finished.stderr
    runs = load_valid("bench", (folder / "result.json").read_text())["runs"]
    assert [(run["name"], run["threads"]) for run in runs] == [
        ("model", 1),
        ("model", 2),
        ("small.tflite", 1),
        ("small.tflite", 2),
    ]
    rows = [line for line in finished.stdout.splitlines() if " small.tflite " in line]
    assert len(rows) == 2
    version = runs[2]["benchmark"]["engine"]["version"]
    assert all(f"LiteRT {version}" in row for row in rows)
    assert "ONNX Runtime" in finished.stdout


def test_without_litert_it_is_said_before_the_work(folder: Path) -> None:
    arguments = ["bench", str(folder / "plain.onnx"), "--against", str(folder / "small.tflite")]
    finished = run_without(
        ["ai_edge_litert", "tflite_runtime"],
        f"import sys; sys.argv[1:] = {arguments!r}\n"
        "from bdnet_export.cli.main import main; sys.exit(main())",
    )
    assert finished.returncode == 2
    assert "pip install ai-edge-litert" in finished.stderr
    assert "Traceback" not in finished.stderr
    assert "starting" not in finished.stderr


def test_one_device_that_fails_does_not_lose_the_others(network: Path, folder: Path) -> None:
    finished = bench(
        *(folder, network, "--device", "gone,local", "--inventory", "lab.toml"),
        *(*QUICK, "--json", "result.json"),
    )
    assert finished.returncode == 2
    assert "gone: 127.0.0.1 is there but refuses connections" in finished.stdout
    assert "Equal to the standard operators on the workstation: 0 of " in finished.stdout
    (result,) = load_valid("bench", (folder / "result.json").read_text())["of"]
    assert result["device"] == {"name": "local", "address": None}
    assert result["parity"]["passed"] is True


def test_a_device_that_is_not_in_the_inventory_is_said_before_the_work(folder: Path) -> None:
    finished = bench(folder, "plain.onnx", "--device", "local,gonne", "--inventory", "lab.toml")
    assert finished.returncode == 2
    assert "did you mean 'gone'?" in finished.stderr
    assert "local:" not in finished.stderr


def test_a_dry_run_shows_the_commands_and_runs_none(network: Path, folder: Path) -> None:
    options = ("--device", "local,gone", "--inventory", "lab.toml", "--threads", "1,2")
    finished = bench(folder, network, *options, "--governor", "performance", "--dry-run")
    assert finished.returncode == 2
    lines = finished.stdout.splitlines()
    assert [line.partition("bdnet_runtime.")[2].split()[0] for line in lines[:4]] == [
        "verify",
        "monitor",
        "benchmark",
        "benchmark",
    ]
    assert "--governor performance" in lines[1]
    assert "Nothing was changed on local" in finished.stdout
    assert "gone: 127.0.0.1 is there but refuses connections" in finished.stdout
    assert "measuring" not in finished.stderr
    refused = bench(folder, "plain.onnx", "--dry-run", "--json", "-")
    assert refused.returncode == 2
    assert "a dry run has no result" in refused.stderr


def test_a_run_that_throttled_is_marked_wherever_it_is_shown(folder: Path) -> None:
    """A stand-in says what Raspberry Pi's command says of a board that throttles."""
    stand_in = folder / "bin" / "vcgencmd"
    stand_in.parent.mkdir()
    stand_in.write_text("#!/bin/sh\necho throttled=0x50005\n")
    stand_in.chmod(0o755)
    path = f"{stand_in.parent}:{os.environ['PATH']}"
    alone = bench(folder, "plain.onnx", "--no-library", *QUICK, "--json", "one.json", PATH=path)
    assert alone.returncode == 0, alone.stderr
    result = load_valid("bench", (folder / "one.json").read_text())
    assert result["conditions"]["throttled"] == ["throttled", "under-voltage"]
    assert "Throttled while measured (throttled, under-voltage)" in alone.stdout
    measured = next(line for line in alone.stdout.splitlines() if line.startswith("Measured"))
    assert " ms (throttled) over " in measured
    options = ("--no-library", "--threads", "1,2", "--rounds", 2, *QUICK)
    several = bench(folder, "plain.onnx", *options, PATH=path)
    assert several.returncode == 0, several.stderr
    assert several.stdout.count(" ms (throttled) ") == 2


def test_an_emulated_machine_shows_no_time(folder: Path) -> None:
    options = ("plain.onnx", "--no-library", *QUICK)
    shown = bench(folder, *options, BDNET_EMULATED="1").stdout
    assert " emulated" in shown
    assert not re.search(r"\d (ms|s|images/s)\b", shown)
