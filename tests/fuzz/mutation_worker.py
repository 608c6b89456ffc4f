"""Loads and runs models one after the other; a program of its own, which a model may bring down.

    python mutation_worker.py (library|standard) FOLDER FIRST COUNT

Runs the models FOLDER/NNNNN.onnx from FIRST on, with bdnet's library or with standard operators
alone. Prints ``begin N`` before each and ``end N WHAT`` after it, so that whoever reads knows which
one it was. WHAT is ``ran``, with the outputs in FOLDER/NNNNN.MODE.npz, or ``refused``, or, if a
refusal is not the one sentence that it should be, ``traceback`` and what it said.

Memory and processor time for one model are limited: out of memory is an ordinary refusal, out of
time ends the process. With AddressSanitizer its own limits stand in for that of memory.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import bdnet_runtime
from bdnet_runtime.errors import InputError

MODEL_MEMORY = 2 << 30  # bytes beyond what the process has when it begins
MODEL_SECONDS = 30.0  # of processor time
MOST_VALUES = 1 << 20  # of an input


def main() -> None:
    mode, folder, first, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    if "ASAN_OPTIONS" not in os.environ:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + MODEL_MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for index in range(first, first + count):
        print("begin", index, flush=True)
        signal.setitimer(signal.ITIMER_PROF, MODEL_SECONDS)
        what = attempt(folder / f"{index:05}", mode)
        signal.setitimer(signal.ITIMER_PROF, 0)
        print("end", index, what, flush=True)


def attempt(stem: Path, mode: str) -> str:
    """Loads and runs one model; what came of it."""
    model = stem.with_suffix(".onnx").read_bytes()
    try:
        session = bdnet_runtime.create_session(model, use_library=mode == "library")
    except InputError as error:
        text = str(error)
        return "refused" if text and "\n" not in text else f"traceback {text!r}"
    except MemoryError:
        return "refused"
    try:
        inputs = enumerate(session.get_inputs())
        feeds = {value.name: make_input(value, index) for index, value in inputs}
        outputs = session.run(None, feeds)
    # ONNX Runtime's exceptions have no base of their own; what cannot be fed is refused as well.
    except Exception:
        return "refused"
    arrays = [np.asarray(output) for output in outputs]
    np.savez(stem.with_suffix(f".{mode}.npz"), *arrays)
    return "ran"


def make_input(value: Any, seed: int) -> npt.NDArray[Any]:
    """Noise of the shape that the model asks for."""
    shape = [size if isinstance(size, int) else 2 for size in value.shape]
    if min(shape, default=1) < 0 or np.prod(shape, dtype=np.float64) > MOST_VALUES:
        raise ValueError("the input is larger than what is tried here")
    rng = np.random.default_rng(seed)
    if value.type == "tensor(uint8)":
        return rng.integers(0, 256, shape, np.uint8)
    array = rng.standard_normal(shape)
    return array.astype(np.float64 if value.type == "tensor(double)" else np.float32)


if __name__ == "__main__":
    main()
