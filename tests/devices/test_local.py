"""The device local: a fresh process, its progress, its sentence, and its end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bdnet_devices import LocalDevice
from bdnet_runtime import InputError
from bdnet_runtime.benchmark import BenchmarkOptions

SHORT = BenchmarkOptions(warmup=0, seconds=0.1, use_library=False)
LONG = BenchmarkOptions(warmup=0, seconds=600, use_library=False)


def test_the_result_is_that_of_the_process(model: Path) -> None:
    seen: list[tuple[str, float]] = []
    result = LocalDevice().benchmark(model, SHORT, lambda *event: seen.append(event))
    assert result["model"]["path"] == str(model)
    assert (result["warmup_runs"], result["use_library"]) == (0, False)
    assert len(result["samples_ms"]) >= 10
    assert [stage for stage, _ in seen][:2] == ["loading the model", "first run"]


def test_bad_input_is_the_sentence_of_the_process(tmp_path: Path) -> None:
    missing = tmp_path / "missing.onnx"
    with pytest.raises(InputError, match=r"^the model .*missing\.onnx does not exist; expected"):
        LocalDevice().benchmark(missing, SHORT)


def test_a_name_that_looks_like_an_option_is_a_name() -> None:
    with pytest.raises(InputError, match=r"^the model --help does not exist"):
        LocalDevice().benchmark(Path("--help"), SHORT)


@pytest.mark.parametrize("shadowed", ["platform.py", "json.py", "numpy.py"])
def test_the_users_own_modules_do_not_stand_for_the_benchmarks(
    model: Path, shadowed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / shadowed).write_text("raise RuntimeError('of the working folder')\n")
    monkeypatch.chdir(tmp_path)
    result = LocalDevice().benchmark(Path(model.name), SHORT)
    assert result["model"]["path"] == model.name


def test_an_interruption_ends_the_process(
    model: Path, started: list[subprocess.Popen[str]]
) -> None:
    def interrupt(stage: str, fraction: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        LocalDevice().benchmark(model, LONG, interrupt)
    (process,) = started
    assert process.returncode is not None


def test_a_process_that_is_killed_is_said_to_be(
    model: Path, started: list[subprocess.Popen[str]]
) -> None:
    def kill(stage: str, fraction: float) -> None:
        started[0].kill()

    with pytest.raises(RuntimeError, match="was ended by SIGKILL"):
        LocalDevice().benchmark(model, LONG, kill)


def test_options_survive_the_command_line() -> None:
    from bdnet_runtime.benchmark import _parse

    for options, turns in (
        (BenchmarkOptions(3, 7, 0.25, use_library=False, batch=5, profile=True), False),
        (BenchmarkOptions(isa="avx2"), True),
    ):
        command = options.command(sys.executable, "a model.onnx", turns)
        assert command[0] == sys.executable
        assert _parse(command[3:]) == (Path("a model.onnx"), options, turns)
