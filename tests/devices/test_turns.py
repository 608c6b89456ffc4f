"""Measurements in turn: who comes when, what becomes of the samples, and how it ends."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bdnet_devices import Contestant, LocalDevice, Ratio, round_medians, take_turns
from bdnet_runtime import InputError
from bdnet_runtime.benchmark import BenchmarkOptions

SHORT = BenchmarkOptions(warmup=0, seconds=0.1, use_library=False)


def test_every_other_round_goes_backwards(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    device = LocalDevice()
    start = device.start

    def recorded(path: Path, options: BenchmarkOptions) -> object:
        taker = start(path, options)
        turn = taker.turn

        def told(seconds: float) -> None:
            order.append(f"{options.threads}: {seconds}")
            turn(seconds)

        monkeypatch.setattr(taker, "turn", told)
        return taker

    monkeypatch.setattr(device, "start", recorded)
    contestants = [
        Contestant(
            str(threads), model, BenchmarkOptions(threads, 0, seconds=0.125, use_library=False)
        )
        for threads in (1, 2)
    ]
    results = take_turns(device, contestants, 4)
    one, two = "1: 0.03125", "2: 0.03125"
    assert order == [one, two, two, one, one, two, two, one]
    assert [result["threads"] for result in results] == [1, 2]
    for result in results:
        assert len(result["turns"]) == 4
        assert min(result["turns"]) >= 1
        assert sum(result["turns"]) == len(result["samples_ms"])


def test_one_that_cannot_start_is_named_and_ends_the_others(
    model: Path, started: list[subprocess.Popen[str]]
) -> None:
    contestants = [Contestant("a", model, SHORT), Contestant("b", model.with_name("no"), SHORT)]
    with pytest.raises(InputError, match=r"^b: the model .*no does not exist"):
        take_turns(LocalDevice(), contestants, 2)
    assert len(started) == 2
    assert all(process.returncode is not None for process in started)


@pytest.mark.parametrize("stage", ["starting b", "measuring 2 in turn"])
def test_an_interruption_ends_every_process(
    model: Path, started: list[subprocess.Popen[str]], stage: str
) -> None:
    def interrupt(now: str, fraction: float) -> None:
        if now == stage:
            raise KeyboardInterrupt

    contestants = [Contestant("a", model, SHORT), Contestant("b", model, SHORT)]
    with pytest.raises(KeyboardInterrupt):
        take_turns(LocalDevice(), contestants, 2, interrupt)
    assert started
    assert all(process.returncode is not None for process in started)


def test_one_that_is_killed_between_its_turns_is_said_to_be(
    model: Path, started: list[subprocess.Popen[str]]
) -> None:
    def kill(stage: str, fraction: float) -> None:
        if fraction >= 0.5:
            started[0].kill()
            started[0].wait()

    contestants = [Contestant("a", model, SHORT)]
    with pytest.raises(RuntimeError, match="was ended by SIGKILL"):
        take_turns(LocalDevice(), contestants, 2, kill)


def test_one_round_has_no_spread(model: Path) -> None:
    with pytest.raises(InputError, match="rounds is 1; expected 2 or more"):
        take_turns(LocalDevice(), [Contestant("a", model, SHORT)], 1)


def test_a_ratio_is_made_round_by_round() -> None:
    slow = {"samples_ms": [8.0, 2.0, 4.0, 9.0, 3.0], "turns": [3, 1, 1]}
    assert round_medians(slow) == [4.0, 9.0, 3.0]
    assert Ratio.of(round_medians(slow), [2.0, 3.0, 3.0]) == Ratio(2.0, 1.0, 3.0, (2.0, 3.0, 1.0))
