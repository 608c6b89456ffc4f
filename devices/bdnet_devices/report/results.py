"""Results of ``bdnet-export bench --json``, read and checked."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bdnet_devices.report.conditions import Conditions
from bdnet_devices.report.parity import Parity
from bdnet_runtime import InputError

SCHEMA = 2
SEVERAL = "benches"
MODEL = "model"
MEASURE_AGAIN = "measure again with 'bdnet-export bench --json'"

Json = dict[str, Any]


@dataclass(frozen=True)
class Spread:
    """A ratio over all rounds: its median, least and greatest, and that of each round."""

    median: float
    lowest: float
    highest: float
    rounds: tuple[float, ...]

    @classmethod
    def read(cls, content: Json | None) -> Spread | None:
        if content is None:
            return None
        median, lowest, highest = (float(content[k]) for k in ("median", "lowest", "highest"))
        return cls(median, lowest, highest, tuple(map(float, content["rounds"])))


@dataclass(frozen=True)
class Layer:
    """A node that was run: milliseconds, and the share of the whole, 0 to 1."""

    name: str
    operator: str
    ms: float
    share: float


@dataclass(frozen=True)
class Run:
    """One contestant with one number of threads and images.

    Args:
        name: "model" for the file that is compared, otherwise what it is compared with.
        isa: the kernels of bdnet's library; None where they are not used.
        samples_ms: every timed run, in order.
        turns: how many of them, in order, are of each turn.
        latency_ms: p50, p90, p99, min, mean, stdev.
        ratio: its time over the model's; above 1 the model is faster.
        model_bytes: the memory that the model adds to the process; None where it is not known.
        layers: their times, empty without a profile; what is between the nodes comes last.
    """

    name: str
    threads: int
    batch: int
    engine: str
    isa: str | None
    samples_ms: tuple[float, ...]
    turns: tuple[int, ...]
    latency_ms: dict[str, float]
    ratio: Spread | None
    thread_scaling: Spread | None
    batch_scaling: Spread | None
    model_bytes: int | None
    images_per_second: float
    load_ms: float
    first_run_ms: float
    layers: tuple[Layer, ...]
    started: str
    input: str
    file: Json
    versions: Json
    host: Json

    @property
    def profiled(self) -> bool:
        return bool(self.layers)


@dataclass(frozen=True)
class Result:
    """What one run of ``bdnet-export bench`` measured on one device.

    Args:
        file: the name of the file it was read from.
        command: as it was typed, ready to be typed again; None where that is not known.
        address: where the device is reached; None for this machine.
        calibration: the images of the int8 twin; None without that twin.
    """

    file: str
    command: str | None
    device: str
    address: str | None
    emulated: bool
    model: str
    rounds: int
    calibration: str | None
    parity: Parity | None
    conditions: Conditions
    runs: tuple[Run, ...]

    @property
    def model_name(self) -> str:
        return Path(self.model).name

    @property
    def processor(self) -> str:
        host = self.runs[0].host
        return str(host.get("cpu") or host.get("board") or host.get("machine") or "not told")

    def name_of(self, run: Run) -> str:
        """What a reader calls this run's contestant."""
        return self.model_name if run.name == MODEL else Path(run.name).name


def load_results(paths: Sequence[Path]) -> list[Result]:
    """Reads files, and every ``.json`` of folders and the folders in them, in order of name.

    Raises:
        InputError: a file that is no result, or of another schema; a folder without any.
    """
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        found = sorted(path.rglob("*.json"))
        if not found:
            raise InputError(f"the folder {path} holds no .json file; {MEASURE_AGAIN}")
        files += found
    return [result for file in dict.fromkeys(files) for result in _load(file)]


def _load(path: Path) -> list[Result]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"the result {path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise InputError(f"{path} is not JSON; {MEASURE_AGAIN}") from None
    # A bench on several devices wrote one of each.
    several = isinstance(content, dict) and content.get("kind") == SEVERAL
    benches = content.get("of", []) if several else [content]
    for bench in benches:
        _require_bench(path, bench)
    try:
        return [_result(path.name, bench) for bench in benches]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        what = f"{type(error).__name__} {error}"
        raise InputError(f"{path} is not a whole result ({what}); {MEASURE_AGAIN}") from None


def _require_bench(path: Path, content: Any) -> None:
    schema = content.get("schema") if isinstance(content, dict) else None
    if isinstance(schema, int) and schema < SCHEMA and ("runs" in content or "turns" in content):
        raise InputError(
            f"{path} is a result of schema {schema}, which an older bdnet wrote; expected "
            f"schema {SCHEMA}: {MEASURE_AGAIN}"
        )
    if schema is None or content.get("kind") != "bench":
        raise InputError(f"{path} is no result of a benchmark; {MEASURE_AGAIN}")
    if schema != SCHEMA:
        raise InputError(
            f"{path} is a result of schema {schema}; expected schema {SCHEMA}: make the report "
            "with the bdnet that measured it"
        )


def _result(file: str, content: Json) -> Result:
    runs = tuple(_run(run) for run in content["runs"])
    if not runs:
        raise ValueError("it has no run")
    return Result(
        file=file,
        command=_command(content.get("command")),
        device=str(content["device"]["name"]),
        address=content["device"]["address"],
        emulated=bool(content["emulated"]),
        model=str(content["model"]),
        rounds=int(content["rounds"]),
        calibration=content["calibration"],
        parity=Parity.read(content["parity"]),
        conditions=Conditions.read(content["conditions"]),
        runs=runs,
    )


def _command(words: list[str] | None) -> str | None:
    return None if words is None else shlex.join(words)


def _run(content: Json) -> Run:
    benchmark: Json = content["benchmark"]
    samples = tuple(map(float, benchmark["samples_ms"]))
    if not samples:
        raise ValueError("it has no sample")
    engine, source, profile = benchmark["engine"], benchmark["input"], benchmark["profile"] or {}
    # The profiler takes more memory than a model, so nothing is known of the model's.
    model_bytes = None if profile else benchmark["memory"]["model_bytes"]
    return Run(
        name=str(content["name"]),
        threads=int(content["threads"]),
        batch=int(content["batch"]),
        engine=f"{engine['name']} {engine['version']}",
        isa=benchmark["isa"],
        samples_ms=samples,
        turns=tuple(map(int, benchmark["turns"])),
        latency_ms={name: float(value) for name, value in benchmark["latency_ms"].items()},
        ratio=Spread.read(content.get("ratio")),
        thread_scaling=Spread.read(content.get("thread_scaling")),
        batch_scaling=Spread.read(content.get("batch_scaling")),
        model_bytes=model_bytes,
        images_per_second=float(benchmark["images_per_second"]),
        load_ms=float(benchmark["load_ms"]),
        first_run_ms=float(benchmark["first_run_ms"]),
        layers=_layers(profile),
        started=str(benchmark["started"]),
        input=f"{source['shape']} {source['dtype']}, {source['fill']}",
        file={**benchmark["model"], "name": Path(benchmark["model"]["path"]).name},
        versions=benchmark["versions"],
        host=benchmark["host"],
    )


def _layers(profile: Json) -> tuple[Layer, ...]:
    if not profile:
        return ()
    nodes = [
        Layer(node["name"], node["operator"], float(node["ms"]), float(node["share"]))
        for node in profile["layers"]
    ]
    between = Layer(
        "between the nodes", "", float(profile["between_ms"]), float(profile["between_share"])
    )
    return (*nodes, between)
