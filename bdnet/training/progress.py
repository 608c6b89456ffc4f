"""How a training shows itself: a live bar on a terminal, a line an epoch anywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


class Display(Protocol):
    """What the training loop tells as it goes."""

    def step(self, epoch: int) -> None:
        """One batch of ``epoch``, counted from 1, is done."""

    def epoch(self, epoch: int, loss: float, accuracy: float, seconds: float) -> None:
        """An epoch is done: its mean loss, the validation accuracy (0 to 1), its seconds."""


class _Bar:
    def __init__(self, progress: Progress, epochs: int, steps: int, done: int) -> None:
        self._progress, self._epochs = progress, epochs
        self._task = progress.add_task(
            "", total=epochs * steps, completed=done * steps, epoch=done, result=""
        )

    def step(self, epoch: int) -> None:
        self._progress.update(self._task, advance=1, epoch=epoch)

    def epoch(self, epoch: int, loss: float, accuracy: float, seconds: float) -> None:
        self._progress.update(
            self._task, result=f"loss {loss:.4f}, validation {100 * accuracy:.2f} %"
        )


class _Lines:
    def __init__(self, console: Console, epochs: int) -> None:
        self._console, self._epochs = console, epochs

    def step(self, epoch: int) -> None:
        pass

    def epoch(self, epoch: int, loss: float, accuracy: float, seconds: float) -> None:
        left = (self._epochs - epoch) * seconds
        self._console.print(
            f"epoch {epoch}/{self._epochs}  loss {loss:.4f}  validation {100 * accuracy:.2f} %  "
            f"{seconds:.1f} s  {left / 60:.1f} min left",
            highlight=False,
        )


@contextmanager
def display(console: Console, epochs: int, steps: int, done: int) -> Iterator[Display]:
    """The display that suits ``console``.

    Args:
        epochs, steps: of the whole training; steps of one epoch.
        done: epochs that an earlier run finished.
    """
    if not console.is_terminal:
        yield _Lines(console, epochs)
        return
    columns = (
        TextColumn("epoch {task.fields[epoch]}/" + str(epochs)),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[result]}"),
    )
    with Progress(*columns, console=console) as progress:
        yield _Bar(progress, epochs, steps, done)
