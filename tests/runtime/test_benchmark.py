"""python -m bdnet_runtime.benchmark, as a device runs it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from support import plain_models

COMMAND = [sys.executable, "-m", "bdnet_runtime.benchmark"]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def result_of(finished: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert finished.returncode == 0, finished.stderr
    events = [json.loads(line) for line in finished.stdout.splitlines()]
    assert [event["event"] for event in events[:-1]] == ["progress"] * (len(events) - 1)
    assert events[-1]["event"] == "result"
    result: dict[str, Any] = events[-1]
    return result


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return plain_models.write(plain_models.conv_relu(), tmp_path / "model.onnx")


def test_the_result_says_what_was_measured_and_on_what(model: Path) -> None:
    result = result_of(run(model, "--no-library", "--seconds", 0.2, "--warmup", 3, "--threads", 2))
    assert result["schema"] == 2
    assert result["model"] == {
        "path": str(model),
        "bytes": model.stat().st_size,
        "sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
    }
    assert result["input"]["shape"] == [1, 3, 16, 16]
    assert result["input"]["dtype"] == "float32"
    assert "seed 0" in result["input"]["fill"]
    assert (result["threads"], result["warmup_runs"]) == (2, 3)
    assert (result["use_library"], result["isa"]) == (False, None)
    assert result["load_ms"] > 0
    assert result["first_run_ms"] > 0
    assert set(result["versions"]) == {"bdnet", "onnxruntime", "numpy", "python"}
    assert result["host"]["cores"] >= 1
    assert result["engine"] == {
        "name": "onnxruntime",
        "version": result["versions"]["onnxruntime"],
    }
    assert result["clock"]["jumped"] is False


def test_the_summary_is_that_of_the_samples(model: Path) -> None:
    result = result_of(run(model, "--no-library", "--seconds", 0.2))
    samples, latency = result["samples_ms"], result["latency_ms"]
    assert latency["min"] == min(samples)
    for name, percent in (("p50", 50), ("p90", 90), ("p99", 99)):
        assert latency[name] == pytest.approx(np.percentile(samples, percent))
    assert latency["mean"] == pytest.approx(np.mean(samples))
    assert latency["stdev"] == pytest.approx(np.std(samples, ddof=1))
    assert result["images_per_second"] == pytest.approx(1000 / np.mean(samples))


def test_however_short_there_are_ten_samples(model: Path) -> None:
    result = result_of(run(model, "--no-library", "--seconds", 1e-9, "--warmup", 0))
    assert len(result["samples_ms"]) == 10


def test_a_fixed_batch_is_run_whole_and_counted_in_images(tmp_path: Path) -> None:
    model = plain_models.write(plain_models.conv_relu((4, 3, 16, 16)), tmp_path / "batch.onnx")
    result = result_of(run(model, "--no-library", "--seconds", 0.1))
    assert result["input"]["shape"] == [4, 3, 16, 16]
    assert result["images_per_second"] == pytest.approx(4000 / np.mean(result["samples_ms"]))


def test_an_open_batch_is_what_is_asked_for(model: Path) -> None:
    result = result_of(run(model, "--no-library", "--seconds", 0.1, "--batch", 5))
    assert result["input"]["shape"] == [5, 3, 16, 16]
    assert result["batch"] == 5
    assert result["images_per_second"] == pytest.approx(5000 / np.mean(result["samples_ms"]))


def test_bytes_are_fed_where_the_model_reads_them(tmp_path: Path) -> None:
    of_bytes = plain_models.conv_relu(data_type=TensorProto.UINT8)
    path = plain_models.write(of_bytes, tmp_path / "bytes.onnx")
    result = result_of(run(path, "--no-library", "--seconds", 0.01))
    assert result["input"]["dtype"] == "uint8"
    assert result["input"]["fill"] == "uniform distribution, seed 0"


def test_several_inputs_are_each_fed_noise_of_their_own(tmp_path: Path) -> None:
    path = plain_models.write(plain_models.two_inputs(), tmp_path / "two.onnx")
    result = result_of(run(path, "--no-library", "--seconds", 0.01, "--batch", 3))
    assert [(one["name"], one["shape"]) for one in result["inputs"]] == [
        ("x", [3, 4]),
        ("z", [3, 4]),
    ]
    assert [one["fill"][-6:] for one in result["inputs"]] == ["seed 0", "seed 1"]
    assert result["input"] == result["inputs"][0]
    assert result["batch"] == 3


def test_an_open_size_is_what_is_asked_for(tmp_path: Path) -> None:
    path = plain_models.write(plain_models.conv_relu(("N", 3, "H", "W")), tmp_path / "any.onnx")
    result = result_of(run(path, "--no-library", "--seconds", 0.01, "--size", "7,9"))
    assert result["input"]["shape"] == [1, 3, 7, 9]


def test_in_turns_every_line_is_one(model: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, str(model), "--no-library", "--turns"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        while (event := json.loads(process.stdout.readline()))["event"] == "progress":
            pass
        assert event == {"event": "ready"}
        samples = []
        for seconds in (0.05, 1e-9):
            process.stdin.write(f"{seconds}\n")
            process.stdin.flush()
            event = json.loads(process.stdout.readline())
            assert event["event"] == "turn"
            samples.append(event["samples_ms"])
        process.stdin.write("end\n")
        process.stdin.flush()
        result = json.loads(process.stdout.read())
        assert process.wait(timeout=60) == 0
    assert len(samples[0]) > len(samples[1]) == 1
    assert result["samples_ms"] == [*samples[0], *samples[1]]
    assert result["turns"] == [len(samples[0]), 1]
    assert result["latency_ms"]["min"] == min(result["samples_ms"])


def test_in_turns_it_ends_with_whoever_asked_even_within_a_turn(model: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, str(model), "--no-library", "--turns"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        while json.loads(process.stdout.readline())["event"] == "progress":
            pass
        process.stdin.write("600\n")
        process.stdin.close()
        assert process.wait(timeout=30) == 2
        assert process.stdout.read() == ""
        assert "standard input ended before the line 'end'" in process.stderr.read()


def test_the_profile_has_every_node_and_the_rest(model: Path) -> None:
    result = result_of(run(model, "--no-library", "--seconds", 30, "--profile"))
    profile = result["profile"]
    assert profile["runs"] == len(result["samples_ms"]) == 200, "the profile's runs are bounded"
    # ONNX Runtime gives nodes without a name one; it fuses the convolution and its ReLU.
    assert any("Conv" in layer["operator"] for layer in profile["layers"])
    times = [layer["ms"] for layer in profile["layers"]]
    assert profile["total_ms"] == pytest.approx(sum(times) + profile["between_ms"])
    shares = [layer["share"] for layer in profile["layers"]]
    assert sum(shares) + profile["between_share"] == pytest.approx(1)
    assert profile["between_ms"] >= 0


def test_without_turns_there_is_one_and_no_profile(model: Path) -> None:
    result = result_of(run(model, "--no-library", "--seconds", 0.1))
    assert result["turns"] == [len(result["samples_ms"])]
    assert result["profile"] is None


def test_the_kernels_are_those_that_are_asked_for(model: Path) -> None:
    assert result_of(run(model, "--seconds", 0.1, "--isa", "reference"))["isa"] == "reference"
    finished = run(model, "--isa", "mmx")
    assert finished.returncode == 2
    assert "BDNET_ISA is 'mmx', but on this processor bdnet runs " in finished.stderr


def test_progress_names_the_stages_in_order(model: Path) -> None:
    finished = run(model, "--no-library", "--seconds", 0.6)
    events = [json.loads(line) for line in finished.stdout.splitlines()][:-1]
    stages = list(dict.fromkeys(event["stage"] for event in events))
    assert stages == ["loading the model", "first run", "warming up", "measuring"]
    fractions = [event["fraction"] for event in events if event["stage"] == "measuring"]
    assert fractions == sorted(fractions)
    assert len(fractions) >= 2
    assert 0 <= fractions[0] <= fractions[-1] <= 1


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_peak_memory_is_not_that_of_the_process_that_started_it(model: Path) -> None:
    """ru_maxrss of a child starts at its parent's size."""
    ballast = 1 << 30
    code = (
        f"import subprocess, sys; held = bytearray({ballast}); "
        f"sys.exit(subprocess.call(sys.argv[1:]))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code, *COMMAND, str(model), "--no-library", "--seconds", "0.01"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    memory = result_of(finished)["memory"]
    assert memory["imports_bytes"] < memory["peak_bytes"] < ballast
    assert memory["model_bytes"] == memory["peak_bytes"] - memory["imports_bytes"]


def _missing(folder: Path) -> list[object]:
    return [folder / "missing.onnx"]


def _junk(folder: Path) -> list[object]:
    path = folder / "junk.onnx"
    path.write_bytes(b"not a model")
    return [path]


def _dynamic_size(folder: Path) -> list[object]:
    shape = ("N", 3, "H", "W")
    return [plain_models.write(plain_models.conv_relu(shape), folder / "model.onnx")]


def _dynamic_channels(folder: Path) -> list[object]:
    shape = ("N", "C", "H", "W")
    return [plain_models.write(plain_models.conv_relu(shape), folder / "model.onnx")]


def _integer_input(folder: Path) -> list[object]:
    model = plain_models.conv_relu(data_type=TensorProto.INT32)
    return [plain_models.write(model, folder / "model.onnx")]


def _does_not_run(folder: Path) -> list[object]:
    model = plain_models.conv_relu(("N", 4, 16, 16))
    return [plain_models.write(model, folder / "model.onnx")]


def _fixed_batch(folder: Path) -> list[object]:
    model = plain_models.conv_relu((4, 3, 16, 16))
    return [plain_models.write(model, folder / "model.onnx"), "--no-library", "--batch", 3]


def _option(*arguments: object) -> Any:
    def build(folder: Path) -> list[object]:
        return [plain_models.write(plain_models.conv_relu(), folder / "model.onnx"), *arguments]

    return build


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (_missing, "missing.onnx does not exist"),
        (_junk, "junk.onnx is not a model"),
        (_dynamic_size, "the input 'x' is an image of any size; say which, for example --size"),
        (_dynamic_channels, "only the batch and the height and width of an image may be dynamic"),
        (_option("--size", "8,9"), "the size is 8 x 9, but the input 'x' is always 3 x 16 x 16"),
        (_option("--size", "8"), "'8'"),
        (_option("--size", "0,9"), "size is (0, 9); expected two sides of 1 to 65536"),
        (_integer_input, "is a tensor(int32); expected a tensor(float) or a tensor(uint8)"),
        (_does_not_run, "the model cannot be run: "),
        (_option("--threads", 0), "threads is 0; expected 1 to 1024"),
        (_option("--threads", 20000), "threads is 20000; expected 1 to 1024"),
        (_option("--warmup", -1), "warmup is -1"),
        (_option("--seconds", 0), "seconds is 0.0"),
        (_option("--seconds", "nan"), "seconds is nan"),
        (_option("--seconds", "inf"), "seconds is inf; expected a finite number above 0"),
        (_option("--seconds", "soon"), "'soon'"),
        (_option("--treads", 1), "--treads"),
        (_option("--batch", 0), "batch is 0; expected 1 to 65536 images"),
        (_fixed_batch, "the batch is 3, but the model always reads 4"),
        (_option("--isa", "avx2"), "isa is 'avx2', but bdnet's kernels are not used"),
        (_option("--profile", "--turns"), "--profile and --turns were given"),
        (_option("--no-library", "--turns"), "standard input ended before the line 'end'"),
    ],
    ids=lambda value: None if callable(value) else value,
)
def test_bad_input_is_one_sentence_and_status_2(tmp_path: Path, arguments: Any, says: str) -> None:
    finished = run(*arguments(tmp_path), "--no-library")
    assert finished.returncode == 2
    assert says in finished.stderr
    assert len(finished.stderr.splitlines()) == 1


def test_it_ends_when_nobody_reads_any_more(model: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, str(model), "--no-library", "--seconds", "600"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=30) == 141
        assert process.stderr.read() == ""
