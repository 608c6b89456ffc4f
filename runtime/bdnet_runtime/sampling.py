"""Milliseconds of runs, one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from bdnet_runtime.events import Progress, write_event

MIN_SAMPLES = 10
TURN_WARMUP = 0.2  # of a turn's seconds
Run = Callable[[], object]


def take_samples(run: Run, seconds: float, most: int | None, progress: Progress) -> list[float]:
    """Milliseconds of each run, until ``seconds`` have passed and there are enough of them."""
    samples: list[float] = []
    start = time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds or len(samples) < MIN_SAMPLES:
        if len(samples) == most:
            break
        progress("measuring", min(elapsed / seconds, 1.0))
        samples.append(_sample(run))
    return samples


def samples_of_turns(run: Run, turns: Iterable[float]) -> Iterator[list[float]]:
    """Milliseconds of each run of each turn, at least one a turn, when the turn is over."""
    write_event({"event": "ready"})
    for seconds in turns:
        start = time.perf_counter()
        run()
        while time.perf_counter() - start < TURN_WARMUP * seconds:
            run()
        samples = [_sample(run)]
        while time.perf_counter() - start < seconds:
            samples.append(_sample(run))
        write_event({"event": "turn", "samples_ms": samples})
        yield samples


def milliseconds_since(begin_ns: int) -> float:
    """Since a value of `time.perf_counter_ns`."""
    return (time.perf_counter_ns() - begin_ns) / 1e6


def _sample(run: Run) -> float:
    begin = time.perf_counter_ns()
    run()
    return milliseconds_since(begin)
