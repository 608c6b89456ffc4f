"""Measures the cells of a matrix that have no result yet, and keeps what they found."""

from __future__ import annotations

import fcntl
import json
import shlex
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean

from bdnet_devices.inventory import LOCAL
from bdnet_devices.report import Result, load_results
from bdnet_export.matrix.cells import Cell
from bdnet_export.matrix.process import CellProcess
from bdnet_runtime import InputError

DONE, THERE, FAILED, NOT_RUN = "done", "there", "failed", "not run"
HAS_RESULT = (0, 1)  # statuses of a bench; with 1 the device computes something else


@dataclass(frozen=True)
class Outcome:
    """What became of a cell.

    Args:
        state: "done" just now, "there" already, "failed", or "not run".
        seconds: that it took just now.
        sentence: why it failed.
        result: what it measured.
    """

    cell: Cell
    state: str
    seconds: float | None = None
    sentence: str | None = None
    result: Result | None = None


@dataclass(frozen=True)
class Step:
    """Which cell of how many runs on a device.

    Args:
        number: from 1.
        last_seconds: what the last took that was measured; None before that.
        seconds_left: an estimate, of this cell and those after it.
    """

    cell: Cell
    number: int
    of: int
    last_seconds: float | None
    seconds_left: float | None


Tell = Callable[[Step, str], None]
"""Called with each stage of a cell."""


def read_outcome(cell: Cell) -> Outcome:
    """Whether the cell's result is there, whole and of today's schema."""
    result = _read_result(cell.file)
    return Outcome(cell, NOT_RUN if result is None else THERE, result=result)


def lanes_of(cells: Sequence[Cell]) -> list[dict[str, list[Cell]]]:
    """Which cells run at the same time: steps one after the other, each of lanes side by side.

    A lane is one board, also where it has several names, and is called by the first of them. This
    machine comes first and alone: what is prepared here for a board would disturb it.
    """
    boards: dict[str, list[Cell]] = {}
    for cell in cells:
        boards.setdefault(cell.board, []).append(cell)
    here = {LOCAL: boards.pop("")} if "" in boards else {}
    steps = (here, {lane[0].device: lane for lane in boards.values()})
    return [step for step in steps if step]


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """The folder of the results is there, and this run's alone, while the context lasts.

    Raises:
        InputError: it cannot be made or written, or another run has it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise InputError(
            f"the folder {folder} cannot be written: {error.strerror}; give another as 'results'"
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"another run is filling the folder {folder}; wait for its end, or give another "
                "folder as 'results'"
            ) from None
        for left in folder.glob("*.json.part"):  # by a run that was killed
            left.unlink()
        yield


class MatrixRun:
    """Runs cells. `outcomes` has those that have ended.

    Args:
        time_limit: seconds that one may take.
    """

    def __init__(self, time_limit: float) -> None:
        self.outcomes: dict[Cell, Outcome] = {}
        self._time_limit = time_limit
        self._lock = threading.Lock()
        self._running: set[CellProcess] = set()
        self._stopped = False

    def lane(self, cells: Sequence[Cell], tell: Tell) -> None:
        """Runs cells one after the other. A cell that fails does not keep the others from it.

        Raises:
            InputError: what a cell found cannot be written.
        """
        lasted: list[float] = []
        for number, cell in enumerate(cells, 1):
            left = mean(lasted) * (len(cells) - number + 1) if lasted else None
            step = Step(cell, number, len(cells), lasted[-1] if lasted else None, left)
            begin = time.monotonic()
            ended = self._measure(cell, partial(tell, step))
            seconds = time.monotonic() - begin
            outcome = None if ended is None else self._keep(cell, seconds, *ended)
            if outcome is None:
                return
            self.outcomes[cell] = outcome
            if outcome.state == DONE:
                lasted.append(seconds)

    def stop(self) -> None:
        """Ends what runs, cleanly. The lanes return when it has ended."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.stop()

    def _measure(self, cell: Cell, tell: Callable[[str], None]) -> tuple[int, str] | None:
        """The status of its process, and why it failed if it did. None: all was stopped before."""
        with self._lock:
            if self._stopped:
                return None
            process = CellProcess([*cell.arguments, "--json", str(cell.part)])
            self._running.add(process)
        ended = process.wait(self._time_limit, tell)
        with self._lock:
            self._running.discard(process)
        return ended

    def _keep(self, cell: Cell, seconds: float, status: int, sentence: str) -> Outcome | None:
        """What it measured gets its name at once. None: it was stopped before it had measured."""
        result = _read_result(cell.part) if status in HAS_RESULT else None
        try:
            if result is not None:
                _name(cell)
                cell.note.unlink(missing_ok=True)
                return Outcome(cell, DONE, seconds, result=result)
            cell.part.unlink(missing_ok=True)
            if self._stopped:
                return None
            cell.note.write_text(f"{sentence}\n\nIt was:\n{cell.command}\n", encoding="utf-8")
        except OSError as error:
            raise InputError(f"{error.filename} cannot be written: {error.strerror}") from None
        return Outcome(cell, FAILED, seconds, sentence)


def _name(cell: Cell) -> None:
    """The result gets its name, and in it the command that would give it this name."""
    content = json.loads(cell.part.read_text(encoding="utf-8"))
    content["command"] = shlex.split(cell.command)
    cell.part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    cell.part.replace(cell.file)


def _read_result(file: Path) -> Result | None:
    """None for what a report could not read."""
    try:
        (result,) = load_results([file])
    except ValueError:  # not readable, or not one
        return None
    return result
