"""Measures one model in this process: ``python -m bdnet_runtime.benchmark MODEL``.

An .onnx file runs in ONNX Runtime, a .tflite file in LiteRT or in TensorFlow Lite.

Meant to be a fresh process, so that load time, first run and memory are what an application
would see. Writes JSON lines to standard output: ``{"event": "progress", "stage": ...,
"fraction": ...}`` and, last, ``{"event": "result", "schema": 2, ...}`` with:

- ``model``: path, bytes, sha256; ``started``: UTC
- ``inputs``: of each name, shape, dtype, fill; ``input``: the first of them
- ``batch``: images a run
- ``threads``; ``use_library``; ``isa`` of the library's kernels, null without the library
- ``load_ms``: creating the session; ``first_run_ms``; ``warmup_runs``
- ``samples_ms``: every timed run, in order; ``latency_ms``: their summary
- ``turns``: how many of the samples, in order, are of each turn; one turn without ``--turns``
- ``profile``: time by layer (`bdnet_runtime.profile.Profile`), null without ``--profile``
- ``images_per_second``: images over the sum of the samples
- ``memory``: ``peak_bytes`` of the process; ``imports_bytes``: resident before the model was
  loaded; ``model_bytes``: the difference. The last two are null on a system without /proc.
- ``engine``: ``name`` and ``version`` of what ran the model: onnxruntime, ai-edge-litert or
  tflite-runtime
- ``clock``: whether it was set meanwhile (`bdnet_runtime.clock.Clock.jump`)
- ``versions``; ``host``: `bdnet_runtime.host.describe_host`

With ``--turns`` several such processes can measure alternately: each writes ``{"event":
"ready"}`` when it is warm and waits. A line with a number of seconds on standard input is its
turn, answered by ``{"event": "turn", "samples_ms": [...]}``; the line ``end`` is the end of the
measurement, and the result follows. Where standard input ends instead whoever asked has gone, and
so the process ends at once, without a result. A turn begins with runs that are not timed, a fifth
of its seconds and at least one, since the others have had the caches meanwhile.

Exit status: 0, or 2 with one sentence on standard error.
"""

from __future__ import annotations

import hashlib
import math
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bdnet_runtime import lite
from bdnet_runtime.clock import Clock
from bdnet_runtime.engine import SEED, Engine, LoadedModel, onnx_runtime
from bdnet_runtime.errors import InputError
from bdnet_runtime.events import Parser, Progress, ProgressWriter, run_main, write_event
from bdnet_runtime.host import describe_host
from bdnet_runtime.info import info, versions
from bdnet_runtime.latency import summarise
from bdnet_runtime.memory import peak_bytes, resident_bytes
from bdnet_runtime.model_input import Size
from bdnet_runtime.module_command import module_command
from bdnet_runtime.profile import read_profile
from bdnet_runtime.sampling import milliseconds_since, samples_of_turns, take_samples
from bdnet_runtime.session import reason, require_threads
from bdnet_runtime.turn_input import read_turns

SCHEMA = 2
MAX_PROFILED_RUNS = 200  # a run leaves hundreds of events, and ONNX Runtime keeps a million
MAX_BATCH = MAX_SIDE = 65536


@dataclass(frozen=True)
class BenchmarkOptions:
    """How to measure.

    Args:
        threads: of ONNX Runtime within an operator, or of LiteRT.
        warmup: untimed runs after the first.
        seconds: for how long to take samples; at least 10 are taken.
        use_library: with bdnet's kernels, or with the standard operators in the file; a .tflite
            file has nothing to do with them.
        batch: images a run; by default what the file fixes, otherwise 1.
        isa: which of bdnet's kernels; by default what ``BDNET_ISA`` says, otherwise the best.
        profile: time each layer as well, over at most 200 runs; they become slower by it.
        size: height and width of the images, where the file leaves them open.

    Raises:
        InputError: a value out of range.
    """

    threads: int = 1
    warmup: int = 10
    seconds: float = 5.0
    use_library: bool = True
    batch: int | None = None
    isa: str | None = None
    profile: bool = False
    size: Size | None = None

    def __post_init__(self) -> None:
        require_threads(self.threads)
        if self.batch is not None and not 1 <= self.batch <= MAX_BATCH:
            raise InputError(f"batch is {self.batch}; expected 1 to {MAX_BATCH} images")
        if self.isa is not None and not self.use_library:
            raise InputError(f"isa is {self.isa!r}, but bdnet's kernels are not used; leave it out")
        if self.size is not None and not all(1 <= side <= MAX_SIDE for side in self.size):
            raise InputError(f"size is {self.size}; expected two sides of 1 to {MAX_SIDE}")
        if self.warmup < 0:
            raise InputError(f"warmup is {self.warmup}; expected 0 or more runs")
        if not (math.isfinite(self.seconds) and self.seconds > 0):
            raise InputError(f"seconds is {self.seconds}; expected a finite number above 0")

    def command(self, python: str | Sequence[str], model: str, turns: bool = False) -> list[str]:
        """The command that measures ``model`` so, wherever ``python`` has bdnet_runtime.

        With ``turns`` it waits for its turns, as the module says.
        """
        return [
            *module_command(python, "benchmark"),
            *("--threads", str(self.threads)),
            *("--warmup", str(self.warmup)),
            *("--seconds", str(self.seconds)),
            *(() if self.use_library else ("--no-library",)),
            *(() if self.batch is None else ("--batch", str(self.batch))),
            *(() if self.size is None else ("--size", ",".join(map(str, self.size)))),
            *(() if self.isa is None else ("--isa", self.isa)),
            *(("--profile",) if self.profile else ()),
            *(("--turns",) if turns else ()),
            *("--", model),
        ]


def benchmark(
    model: Path,
    options: BenchmarkOptions,
    progress: Progress,
    turns: Iterable[float] | None = None,
) -> dict[str, Any]:
    """Measures ``model``; the module says what the result holds.

    Args:
        turns: the seconds of each turn, when it has come; without them one of
            ``options.seconds``. A turn's event is written when it is over.

    Raises:
        InputError: the model cannot be loaded, fed or run.
    """
    started, clock = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), Clock()
    if options.isa is not None:
        os.environ["BDNET_ISA"] = options.isa
    with _profile_prefix(options.profile) as profile_prefix:
        engine = _engine(model, options, profile_prefix)
        imports_bytes = resident_bytes()
        progress("loading the model", 0.0)
        begin = time.perf_counter_ns()
        loaded = engine.load(model, options.threads, options.batch, options.size)
        load_ms = milliseconds_since(begin)

        progress("first run", 0.0)
        first_run_ms = _first_run(loaded)
        for run in range(options.warmup):
            progress("warming up", run / options.warmup)
            loaded.run()
        if turns is None:
            most = MAX_PROFILED_RUNS if options.profile else None
            each_turn = [take_samples(loaded.run, options.seconds, most, progress)]
        else:
            each_turn = [*samples_of_turns(loaded.run, turns)]
        profile = None
        if loaded.end_profile is not None:
            profile = read_profile(Path(loaded.end_profile()), 1 + options.warmup).to_dict()
    samples_ms = [sample for samples in each_turn for sample in samples]
    peak = peak_bytes()

    inputs = [
        {
            "name": fed.name,
            "shape": list(fed.shape),
            "dtype": fed.dtype,
            "fill": f"{fed.fill}, seed {seed}",
        }
        for seed, fed in enumerate(loaded.fed, SEED)
    ]
    first = loaded.fed[0].shape
    images = first[0] if first else 1
    return {
        "event": "result",
        "schema": SCHEMA,
        "model": _describe_file(model),
        "input": inputs[0],
        "inputs": inputs,
        "batch": images,
        "started": started,
        "threads": options.threads,
        "use_library": engine.use_library,
        "isa": info()["isa"] if engine.use_library else None,
        "load_ms": load_ms,
        "first_run_ms": first_run_ms,
        "warmup_runs": options.warmup,
        "samples_ms": samples_ms,
        "turns": [len(samples) for samples in each_turn],
        "latency_ms": summarise(samples_ms),
        "profile": profile,
        "images_per_second": images * len(samples_ms) / (sum(samples_ms) / 1000),
        "memory": {
            "peak_bytes": peak,
            "imports_bytes": imports_bytes,
            "model_bytes": None if imports_bytes is None else peak - imports_bytes,
        },
        "engine": {"name": engine.name, "version": engine.version},
        "clock": clock.jump(),
        "versions": versions(),
        "host": describe_host(),
    }


def _engine(model: Path, options: BenchmarkOptions, profile_prefix: str | None) -> Engine:
    if model.suffix != lite.SUFFIX:
        return onnx_runtime(options.use_library, profile_prefix)
    if options.isa is not None:
        raise InputError(f"isa is {options.isa!r}, but {model} does not use bdnet's kernels")
    if options.profile:
        raise InputError(f"{model} cannot be profiled: layers are timed in ONNX Runtime only")
    return lite.lite_runtime()


def _first_run(model: LoadedModel) -> float:
    begin = time.perf_counter_ns()
    try:
        model.run()
    except Exception as error:  # ONNX Runtime's exceptions have no base of their own
        raise InputError(f"the model cannot be run: {reason(error)}") from error
    return milliseconds_since(begin)


@contextmanager
def _profile_prefix(wanted: bool) -> Iterator[str | None]:
    """Where ONNX Runtime may write its profile, until the end of the context."""
    if not wanted:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        yield str(Path(folder, "profile"))


def _describe_file(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return {"path": str(path), "bytes": path.stat().st_size, "sha256": digest.hexdigest()}


def _size(text: str) -> Size:
    height, width = (int(side) for side in text.split(","))
    return height, width


def _parse(arguments: Sequence[str] | None) -> tuple[Path, BenchmarkOptions, bool]:
    parser = Parser(
        prog="python -m bdnet_runtime.benchmark",
        description="Measures one model in this process and writes JSON lines.",
        allow_abbrev=False,
    )
    default = BenchmarkOptions()
    add = parser.add_argument
    add("model", metavar="MODEL", type=Path, help="the .onnx or .tflite file to measure")
    add("--threads", type=int, default=default.threads, help="threads of a run (%(default)s)")
    add("--warmup", type=int, default=default.warmup, help="untimed runs (%(default)s)")
    add("--seconds", type=float, default=default.seconds, help="how long to measure (%(default)s)")
    add(
        "--no-library",
        action="store_true",
        help="run the standard operators in the file instead of bdnet's kernels",
    )
    add("--batch", type=int, default=default.batch, help="images a run (the file's, or 1)")
    add("--size", metavar="H,W", type=_size, help="of the images, where the file leaves it open")
    add("--isa", metavar="NAME", help="which of bdnet's kernels (the best)")
    add("--profile", action="store_true", help="time each layer")
    add("--turns", action="store_true", help="measure when standard input says so")
    given = parser.parse_args(arguments)
    if given.profile and given.turns:
        raise InputError("--profile and --turns were given; choose one of them")
    options = BenchmarkOptions(
        given.threads,
        given.warmup,
        given.seconds,
        not given.no_library,
        given.batch,
        given.isa,
        given.profile,
        given.size,
    )
    return given.model, options, given.turns


def main(arguments: Sequence[str] | None = None) -> int:
    def measure() -> None:
        model, options, in_turns = _parse(arguments)
        turns = read_turns() if in_turns else None
        write_event(benchmark(model, options, ProgressWriter(), turns))

    return run_main(measure)


if __name__ == "__main__":
    sys.exit(main())
