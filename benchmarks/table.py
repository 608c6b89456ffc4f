"""The tables of docs/performance.md: BDMobileNetV1 beside its twins, measured on this machine.

Usage: python benchmarks/table.py [--runs N] [--json FILE]. Exports untrained networks, which cost
what trained ones do, and measures each with `bdnet_export.compare_speed` in N runs, five by
default, every one with fresh processes. A cell is the median of the runs, with their least and
greatest. Prints Markdown; FILE gets every sample.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import bdnet
import bdnet_export
from bdnet_export import Setting, SpeedComparison, SpeedQuestion
from bdnet_export.contestants import FP32, INT8, MODEL
from bdnet_export.speed import Run
from bdnet_runtime.benchmark import BenchmarkOptions

CONTESTANTS = (MODEL, FP32, INT8)
ONE, TWO = Setting(1, 1), Setting(2, 1)
BATCH = Setting(1, 8)
ROUNDS = 5
SECONDS = 0.75  # of each contestant in a run


@dataclass(frozen=True)
class Case:
    """A network, the side of its images, and how it is run."""

    width: float
    size: int
    settings: tuple[Setting, ...]

    @property
    def title(self) -> str:
        return f"{self.width:.2f}, {self.size} x {self.size}"


SIZES = tuple(
    Case(width, size, (ONE, TWO))
    for width, size in ((1.0, 112), (1.0, 224), (1.0, 448), (0.25, 96))
)
BATCHES = Case(1.0, 224, (ONE, BATCH))

Comparisons = Sequence[SpeedComparison]


def measure(case: Case, runs: int, folder: Path) -> list[SpeedComparison]:
    path = folder / f"{case.width:.2f}-{case.size}.onnx"
    shape = (3, case.size, case.size)
    bdnet_export.export(bdnet.BDMobileNetV1(width=case.width), path, input_shape=shape)
    question = SpeedQuestion(
        path,
        (FP32, INT8),
        settings=case.settings,
        options=BenchmarkOptions(warmup=3, seconds=SECONDS),
        rounds=ROUNDS,
    )
    comparisons = []
    for run in range(runs):
        print(f"{case.title}: run {run + 1} of {runs}", file=sys.stderr)
        comparisons.append(bdnet_export.compare_speed(question))
    return comparisons


def cell(
    comparisons: Comparisons,
    name: str,
    setting: Setting,
    value: Callable[[SpeedComparison, Run], float],
    digits: int = 2,
) -> str:
    """The median of ``value`` over the runs, with its least and greatest."""
    values = []
    for comparison in comparisons:
        run = comparison.run(name, setting)
        assert run is not None
        values.append(value(comparison, run))
    middle, low, high = statistics.median(values), min(values), max(values)
    if len(values) == 1:
        return f"{middle:.{digits}f}"
    return f"{middle:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print(f"\n{title}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def milliseconds(comparison: SpeedComparison, run: Run) -> float:
    return float(run.benchmark["latency_ms"]["p50"])


def milliseconds_per_image(comparison: SpeedComparison, run: Run) -> float:
    return statistics.median(run.ms_per_image)


def ratio(comparison: SpeedComparison, run: Run) -> float:
    return comparison.ratio(run).median


def by_threads(comparison: SpeedComparison, run: Run) -> float:
    scaling = comparison.thread_scaling(run)
    assert scaling is not None
    return scaling.median


def by_threads_over_fp32(comparison: SpeedComparison, run: Run) -> float:
    scaling = comparison.scaling_over_fp32(run)
    assert scaling is not None
    return scaling.median


def by_batch(comparison: SpeedComparison, run: Run) -> float:
    scaling = comparison.batch_scaling(run)
    assert scaling is not None
    return scaling.median


def megabytes(comparison: SpeedComparison, run: Run) -> float:
    return (run.model_bytes or float("nan")) / 1e6


def memory_over_fp32(comparison: SpeedComparison, run: Run) -> float:
    return comparison.memory_over_fp32(run) or float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description="The tables of docs/performance.md.")
    parser.add_argument("--runs", type=int, default=5, help="of each measurement (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where every sample goes")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured = {case: measure(case, given.runs, Path(folder)) for case in (*SIZES, BATCHES)}
    if given.json is not None:
        content = {
            f"{case.title}, {case.settings}": [one.run_dicts() for one in comparisons]
            for case, comparisons in measured.items()
        }
        given.json.write_text(json.dumps(content), encoding="utf-8")

    host = measured[BATCHES][0].runs[0].benchmark
    print(
        f"{host['host']['cpu']}, {host['host']['cores']} cores, {host['isa']}, "
        f"ONNX Runtime {host['versions']['onnxruntime']}; median (least–greatest) of {given.runs} "
        "runs"
    )
    print_table(
        "One thread, batch 1, milliseconds of the whole `session.run`:",
        ["width, image", "bdnet", "fp32", "int8", "fp32 / bdnet", "int8 / bdnet"],
        [
            [
                case.title,
                *(cell(measured[case], name, ONE, milliseconds) for name in CONTESTANTS),
                *(cell(measured[case], name, ONE, ratio) for name in (FP32, INT8)),
            ]
            for case in SIZES
        ],
    )
    print_table(
        "How many times as fast two threads are as one:",
        ["width, image", "bdnet", "fp32", "int8", "bdnet's over fp32's"],
        [
            [
                case.title,
                *(cell(measured[case], name, TWO, by_threads) for name in CONTESTANTS),
                cell(measured[case], MODEL, TWO, by_threads_over_fp32),
            ]
            for case in SIZES
        ],
    )
    print_table(
        f"Batch 8 at {BATCHES.title}, one thread:",
        ["", "bdnet", "fp32", "int8"],
        [
            [
                label,
                *(cell(measured[BATCHES], name, setting, value) for name in CONTESTANTS),
            ]
            for label, setting, value in (
                ("batch 1, ms an image", ONE, milliseconds_per_image),
                ("batch 8, ms an image", BATCH, milliseconds_per_image),
                ("how many times as fast an image is", BATCH, by_batch),
            )
        ],
    )
    print_table(
        "Memory that the model adds to a process with its imports, one thread, MB:",
        ["width, image, batch", "bdnet", "fp32", "int8", "bdnet's over fp32's"],
        [
            [
                f"{case.title}, {setting.batch}",
                *(cell(measured[case], name, setting, megabytes, 1) for name in CONTESTANTS),
                cell(measured[case], MODEL, setting, memory_over_fp32),
            ]
            for case, setting in (*((case, ONE) for case in SIZES), (BATCHES, BATCH))
        ],
    )


if __name__ == "__main__":
    main()
