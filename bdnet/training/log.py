"""Logs of a training's epochs: a CSV file, or a folder for TensorBoard."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Protocol

from bdnet.errors import InputError

History = list[dict[str, float]]
"""For each finished epoch its numbers by name."""


class Log(Protocol):
    """Where the numbers of an epoch go."""

    def write(self, history: History) -> None:
        """Another epoch is done, the last of ``history``."""


class CsvLog:
    """A line an epoch, the whole file written anew each time: resuming repeats no line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, history: History) -> None:
        try:
            with self._path.open("w", newline="") as file:
                rows = csv.DictWriter(file, ["epoch", *history[0]])
                rows.writeheader()
                rows.writerows({"epoch": i, **row} for i, row in enumerate(history, 1))
        except OSError as error:
            raise InputError(f"--log {self._path} cannot be written: {error.strerror}") from None


class TensorBoardLog:
    """A folder that ``tensorboard --logdir`` shows."""

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise InputError(
                f"--log {folder} asks for TensorBoard, which is not installed: pip install "
                "tensorboard, or give a .csv file"
            ) from None
        self._writer = SummaryWriter(str(folder))

    def write(self, history: History) -> None:
        for name, value in history[-1].items():
            self._writer.add_scalar(name, value, len(history))
        self._writer.flush()


def open_log(path: Path | None) -> Log | None:
    """The log at ``path``: a CSV file if it is named like one, else TensorBoard's folder."""
    if path is None:
        return None
    return CsvLog(path) if path.suffix == ".csv" else TensorBoardLog(path)
