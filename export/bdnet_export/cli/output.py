"""What a command says: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from bdnet_export.cli.arguments import STANDARD_OUTPUT

BROKEN_PIPE = 141
PIPE_WIDTH = 200  # a file or a pipe has no width of its own; this one keeps tables on their lines


class _Console(Console):
    def __init__(self, *, stderr: bool) -> None:
        terminal = (sys.stderr if stderr else sys.stdout).isatty()
        super().__init__(
            stderr=stderr, highlight=False, markup=False, width=None if terminal else PIPE_WIDTH
        )

    def on_broken_pipe(self) -> NoReturn:
        """Quiet, and not with status 1, which means that a check failed."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(BROKEN_PIPE)


class Output:
    """Where the words of one command go.

    Args:
        json_file: where `json` writes: a path, or '-' for standard output, which then holds
            nothing else, or None for nowhere.
    """

    def __init__(self, json_file: str | None = None) -> None:
        self._json_file = json_file
        self._stdout = _Console(stderr=False)
        self._stderr = _Console(stderr=True)
        self._results = self._stderr if json_file == STANDARD_OUTPUT else self._stdout

    def table(self, table: Table) -> None:
        self._results.print(table)

    def line(self, text: str, style: str = "") -> None:
        """One line of the result, never wrapped."""
        self._results.print(Text(text, style), soft_wrap=True)

    def success(self, text: str) -> None:
        self.line(text, "green")

    def failure(self, text: str) -> None:
        self.line(text, "bold red")

    def json(self, content: dict[str, Any]) -> None:
        """Writes ``content`` where --json asks for it."""
        if self._json_file is None:
            return
        text = json.dumps(_without_infinities(content), indent=2, default=str)
        if self._json_file == STANDARD_OUTPUT:
            self._stdout.out(text)
        else:
            write_text(Path(self._json_file), text + "\n", "--json")

    @contextmanager
    def progress(self) -> Iterator[StageProgress]:
        """Shows what is being done: live on a terminal, otherwise a line for each stage."""
        # A user's own module may print while it loads: that is not a result.
        with redirect_stdout(sys.stderr):
            if not self._stderr.is_terminal:
                yield StageProgress(self._stderr, None)
                return
            bar = _bar(self._stderr)
            with bar:
                yield StageProgress(self._stderr, bar)

    @contextmanager
    def progress_of(self, names: Sequence[str]) -> Iterator[dict[str, StageProgress]]:
        """`progress` of several things at once, each with a line of its own."""
        with redirect_stdout(sys.stderr):
            if not self._stderr.is_terminal:
                yield {name: StageProgress(self._stderr, None, f"{name}: ") for name in names}
                return
            bar = _bar(self._stderr)
            with bar:
                yield {name: StageProgress(self._stderr, bar, f"{name}: ") for name in names}


def _bar(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,
    )


class StageProgress:
    """Called with the stage that begins, and while it runs with the fraction that is done."""

    def __init__(self, console: Console, bar: Progress | None, name: str = "") -> None:
        self._console = console
        self._name = name
        self._bar = bar
        self._stage = ""
        self._task = None if bar is None else bar.add_task("", total=None)

    def __call__(self, stage: str, fraction: float | None = None) -> None:
        begins, self._stage = stage != self._stage, stage
        if self._bar is None or self._task is None:
            if begins:
                self._console.print(Text(self._name + stage), soft_wrap=True)
            return
        if begins:
            self._bar.reset(self._task, total=None, description=self._name + stage)
        if fraction is not None:
            self._bar.update(self._task, total=1.0, completed=fraction)


def write_text(path: Path, text: str, option: str) -> None:
    """Writes the file that ``option`` asks for. Raises `typer.BadParameter` where it cannot."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(
            f"{str(path)!r} cannot be written: {error.strerror}", param_hint=f"'{option}'"
        ) from None


def table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """An empty table; the columns in ``right`` hold numbers. No columns: names and values."""
    made = Table(box=box.SIMPLE_HEAD, show_header=bool(columns))
    for column in columns or ("", ""):
        made.add_column(column, justify="right" if column in right else "left")
    return made


def megabytes(count: int) -> str:
    """Of 10^6 bytes; what is too small for them in kB or bytes."""
    if count < 1e4:
        return f"{count} bytes" if count < 1e3 else f"{count / 1e3:.1f} kB"
    return f"{count / 1e6:.2f} MB" if count >= 1e6 else f"{count / 1e6:.3g} MB"


def milliseconds(value: float) -> str:
    """Three or four digits that matter."""
    digits = 3 if value < 10 else 2 if value < 100 else 1
    return f"{value:.{digits}f} ms"


def duration(seconds: float) -> str:
    """As one would say it: of what takes seconds, minutes or hours."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours >= 2 else f"{round(seconds / 60)} min"


def percentiles(latency_ms: dict[str, float]) -> str:
    return ", ".join(f"{name} {milliseconds(latency_ms[name])}" for name in ("p50", "p90", "p99"))


def percent(share: float | None) -> str:
    return "not known" if share is None else f"{share:.2%}"


def _without_infinities(value: Any) -> Any:
    """JSON has no NaN and no infinity: they become null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_infinities(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_infinities(item) for item in value]
    return value
