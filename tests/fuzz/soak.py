"""Threads and sessions, many of both: the same bits, and no memory lost.

    python soak.py FOLDER --loops 10000 [--record FILE]

FOLDER holds models with one float input whose sizes are known but for the first. Three things are
done with each:
- one session is run by eight threads at once, on inputs of their own;
- eight sessions, of all models, run at once, each with two threads of its own;
- sessions are created, run once and destroyed, ``--loops`` times over all models.

Every output must have the bits of the first run of its input. After a tenth of the loops, by when
allocators and caches are as large as they get, the process may grow by GROWTH bytes and no more.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import json
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import bdnet_runtime

CALLERS = 8
RUNS_PER_CALLER = 25
GROWTH = 4 << 20

Array = npt.NDArray[Any]


class Case:
    """A model, inputs of several batches, and the outputs that a session of one thread gave."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self.model = path.read_bytes()
        session = bdnet_runtime.create_session(self.model)
        (value,) = session.get_inputs()
        self.input = value.name
        rng = np.random.default_rng(len(self.model))
        batches = [1, 2, 3, 5] if isinstance(value.shape[0], str) else [value.shape[0]]
        self.inputs = [
            rng.standard_normal((batch, *value.shape[1:])).astype(np.float32) for batch in batches
        ]
        self.outputs = [session.run(None, {self.input: x})[0] for x in self.inputs]

    def session(self, threads: int) -> Callable[[Array], Array]:
        session = bdnet_runtime.create_session(self.model, threads=threads)
        return lambda x: session.run(None, {self.input: x})[0]

    def check(self, run: Callable[[Array], Array], turn: int) -> None:
        """Raises AssertionError if the output is not that of the first run, bit for bit."""
        at = turn % len(self.inputs)
        got, expected = run(self.inputs[at]), self.outputs[at]
        if got.shape != expected.shape or got.tobytes() != expected.tobytes():
            raise AssertionError(f"{self.name}: run {turn} gave other bits than the first")


def one_session(case: Case) -> None:
    """One session, eight callers."""
    run = case.session(threads=2)

    def call(caller: int) -> None:
        for turn in range(RUNS_PER_CALLER):
            case.check(run, caller + turn)

    with ThreadPoolExecutor(CALLERS) as callers:
        list(callers.map(call, range(CALLERS)))


def several_sessions(cases: list[Case]) -> None:
    """Eight sessions, a caller each; they begin at once, so they are created at once too."""

    def call(caller: int) -> None:
        case = cases[caller % len(cases)]
        run = case.session(threads=2)
        for turn in range(RUNS_PER_CALLER):
            case.check(run, caller + turn)

    with ThreadPoolExecutor(CALLERS) as callers:
        list(callers.map(call, range(CALLERS)))


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def churn(cases: list[Case], loops: int) -> int:
    """Creates, runs and destroys ``loops`` sessions; the bytes that the process grew by."""
    begun = 0
    for turn in range(loops):
        if turn == loops // 10:
            gc.collect()
            begun = resident_bytes()
        case = cases[turn % len(cases)]
        case.check(case.session(threads=1 + turn // len(cases) % 2), turn)
    gc.collect()
    return resident_bytes() - begun


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--loops", type=int, default=10_000)
    parser.add_argument("--record", type=Path, help="where to write what came of it")
    options = parser.parse_args()
    begun = time.monotonic()
    cases = [Case(path) for path in sorted(options.folder.glob("*.onnx"))]
    for case in cases:
        one_session(case)
    several_sessions(cases)
    growth = churn(cases, options.loops)
    result = {
        "models": [case.name for case in cases],
        "runs": RUNS_PER_CALLER * CALLERS * (len(cases) + 1) + options.loops,
        "sessions_created": len(cases) + CALLERS + options.loops,
        "bytes_grown": growth,
        "bytes_allowed": GROWTH,
        "seconds": round(time.monotonic() - begun),
        "last": datetime.date.today().isoformat(),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if options.record is not None:
        options.record.write_text(text + "\n")
    if growth > GROWTH:
        print(f"the process grew by {growth} bytes", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
