"""bdnet-export run"""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bdnet_export.cli.arguments import STANDARD_OUTPUT, JsonOption
from bdnet_export.cli.main import INTERRUPTED
from bdnet_export.cli.output import Output, StageProgress, duration
from bdnet_export.cli.run_output import run_json, show_outcomes

if TYPE_CHECKING:
    from types import FrameType

    from bdnet_export.matrix import Cell, MatrixRun, Step


def run(
    config: Annotated[
        Path,
        typer.Option(
            "--config",
            metavar="FILE",
            help="The matrix: a TOML file with models, devices, threads and options of bench.",
            show_default=False,
        ),
    ],
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show each cell's command and what is there; run none."),
    ] = False,
    json_file: JsonOption = None,
) -> int:
    """Measure a matrix of models, devices and threads; what has finished is not run again.

    Each cell is one 'bdnet-export bench' in a process of its own, and one result in the folder of
    the results. A cell that fails leaves a note there, and the others go on. After Ctrl-C, or when
    something is put right, the same command goes on with what is missing; a model or an option that
    has changed is measured again.

    This machine is measured first and alone, then all boards at once, each cell by cell.

    For example:

    - `bdnet-export run --config bench.toml`, where bench.toml holds
      `models = ["a.onnx", "b.onnx"]`, `devices = ["pi5", "orin"]` and `threads = [1, 4]`
    - to see it first: `bdnet-export run --config bench.toml --dry-run`
    - all of it as one page: `bdnet-export report results -o report.html`
    """
    if dry_run and json_file is not None:
        raise typer.BadParameter("a dry run has no result; leave it out", param_hint="'--json'")
    out = Output(json_file)
    with out.progress() as progress:
        progress(f"checking {config}")
        from bdnet_export.matrix import (
            MatrixRun,
            cells_of,
            hold,
            lanes_of,
            load_matrix,
            read_outcome,
        )

        matrix = load_matrix(config)
        cells = cells_of(matrix)
    if json_file not in (None, STANDARD_OUTPUT):
        _require_elsewhere(Path(json_file), matrix.results)
    if dry_run:
        for cell in cells:
            is_there = read_outcome(cell).result is not None
            out.line(f"# there already: {cell.file}" if is_there else cell.command)
        out.success(f"Nothing was run of {len(cells)} cells")
        return 0
    interrupted = False
    with hold(matrix.results), _interrupted_by_signals():
        outcomes = {cell: read_outcome(cell) for cell in cells}
        missing = [cell for cell, outcome in outcomes.items() if outcome.result is None]
        matrix_run = MatrixRun(matrix.time_limit)
        try:
            for lanes in lanes_of(missing):
                _run_lanes(out, matrix_run, lanes)
        except KeyboardInterrupt:
            interrupted = True
        outcomes |= matrix_run.outcomes
    ended = [*outcomes.values()]
    status = show_outcomes(out, matrix, ended)
    out.json(run_json(matrix, ended))
    return INTERRUPTED if interrupted else status


def _require_elsewhere(json_file: Path, results: Path) -> None:
    if json_file.resolve().is_relative_to(results.resolve()):
        raise typer.BadParameter(
            f"{str(json_file)!r} is in the folder of the results, where a report would read it; "
            "write it elsewhere",
            param_hint="'--json'",
        )


def _run_lanes(out: Output, matrix_run: "MatrixRun", lanes: "dict[str, list[Cell]]") -> None:
    with out.progress_of([*lanes]) as progress_of, ThreadPoolExecutor(len(lanes)) as pool:
        try:
            futures = [
                pool.submit(matrix_run.lane, cells, partial(_tell, progress_of[name], name))
                for name, cells in lanes.items()
            ]
            for future in futures:
                future.result()
        except BaseException:
            matrix_run.stop()
            raise


def _tell(progress: StageProgress, lane: str, step: "Step", stage: str) -> None:
    cell, times = step.cell, ""
    if step.last_seconds is not None and step.seconds_left is not None:
        last, left = duration(step.last_seconds), duration(step.seconds_left)
        times = f" (the last took {last}, about {left} left)"
    label = cell.label if cell.device == lane else f"{cell.label} on {cell.device}"
    progress(f"{step.number} of {step.of}{times}, {label}: {stage}")


@contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """What ends this process in other ways than Ctrl-C lets a cell clean up as well."""

    def interrupt(number: int, frame: "FrameType | None") -> None:
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    heard = {number: how for number, how in before.items() if how is not signal.SIG_IGN}
    for number in heard:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, how in heard.items():
            signal.signal(number, how)
