"""The two files that report an experiment, beside its results: a table and a plot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bdnet.errors import InputError

TABLE = "table.md"
PLOT = "plot.svg"


def write_report(folder: Path, table: str, draw: Callable[[Path], None]) -> None:
    """Writes ``table``, in Markdown, and what ``draw`` draws to the path it is given.

    Raises:
        InputError: the folder cannot be written, or there is no matplotlib.
    """
    try:
        (folder / TABLE).write_text(table, encoding="utf-8")
        draw(folder / PLOT)
    except OSError as error:
        raise InputError(f"{folder} cannot be written into: {error}") from None
