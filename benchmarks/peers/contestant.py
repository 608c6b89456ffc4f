"""What every contestant does: load once, then run whenever a line arrives.

A contestant is a process. It prints one line of JSON that says what it is, and for each line of
standard input one line of JSON: the milliseconds of each of its runs.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

WARMUP = 3
RUNS = 10


def image(channels_last: bool = False) -> npt.NDArray[np.float32]:
    """The same random image [1, 3, 224, 224], or [1, 224, 224, 3], for everyone."""
    values = np.random.default_rng(0).standard_normal((1, 3, 224, 224), dtype=np.float32)
    return np.ascontiguousarray(values.transpose(0, 2, 3, 1)) if channels_last else values


def serve(version: str, settings: str, ran: str, run: Callable[[], object]) -> None:
    """Times ``run``, which is one inference, RUNS times for each line of standard input.

    Args:
        version: of the software that runs.
        settings: what was asked of it.
        ran: what it says it did: kernels, operators.
    """
    for _ in range(WARMUP):
        run()
    print(json.dumps({"version": version, "settings": settings, "ran": ran}), flush=True)
    for _ in sys.stdin:
        run()  # the others' turns have emptied the caches
        samples = []
        for _ in range(RUNS):
            start = time.perf_counter()
            run()
            samples.append((time.perf_counter() - start) * 1e3)
        print(json.dumps(samples), flush=True)
