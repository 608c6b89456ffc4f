"""The results of a long experiment: one JSON object a line, the first one says what it is of."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bdnet.errors import InputError

FORMAT = 1
FILE = "results.jsonl"


class Journal:
    """Results that are kept as they come, so that an interruption costs the unfinished one only.

    Args:
        path: the file, there or not.
        header: what must be the same for all results, as JSON has it.
        entries: the results.
    """

    def __init__(self, path: Path, header: dict[str, Any], entries: list[dict[str, Any]]) -> None:
        self.path, self.header, self.entries = path, header, entries

    def append(self, entry: dict[str, Any]) -> None:
        """Adds a result, in the file first: when this returns, it is on the disk."""
        _add_line(self.path, entry)
        self.entries.append(entry)


def _line(values: dict[str, Any]) -> bytes:
    return json.dumps(values).encode() + b"\n"


def _add_line(path: Path, values: dict[str, Any]) -> None:
    with path.open("ab") as file:
        file.write(_line(values))
        file.flush()
        os.fsync(file.fileno())


def read(path: Path, experiment: str) -> Journal:
    """The journal at ``path``; the rest of a line whose writing was interrupted is left out.

    Raises:
        InputError: there is none, it cannot be read, or it is of another experiment.
    """
    try:
        # What follows the last line feed is empty, or a result that was never finished.
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        header, *entries = [json.loads(line) for line in lines]
        if header["format"] != FORMAT or header["experiment"] != experiment:
            raise KeyError(f"{header['experiment']}, format {header['format']}")
    except FileNotFoundError:
        raise InputError(f"there are no results in {path.parent}; run without --report") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is not a file of results of {experiment} ({error}): move it away or choose "
            "another -o"
        ) from None
    return Journal(path, header, entries)


@contextmanager
def continued(folder: Path, experiment: str, parameters: dict[str, Any]) -> Iterator[Journal]:
    """The journal in ``folder``, which is made where there is none, for this process alone.

    Args:
        parameters: what decides the results, as JSON has it. Results of others are refused.

    Raises:
        InputError: the folder cannot be used, another process writes into it, or its results are
            of other parameters.
    """
    path = folder / FILE
    header = {"experiment": experiment, "format": FORMAT, **parameters}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("ab+")
    except OSError as error:
        raise InputError(f"results cannot be kept in {folder}: {error}") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(
                f"another process writes into {folder}: wait for it or choose another -o"
            ) from None
        file.seek(0)
        content = file.read()
        if _line(header).startswith(content):  # nothing, or the beginning of the first line
            file.truncate(0)
            _add_line(path, header)
        elif b"\n" in content:
            file.truncate(content.rindex(b"\n") + 1)
        journal = read(path, experiment)
        _require_same(journal, header)
        yield journal


def _require_same(journal: Journal, header: dict[str, Any]) -> None:
    theirs = journal.header
    for name in [*header, *theirs]:
        if theirs.get(name) != header.get(name):
            raise InputError(
                f"{journal.path} has results of {name} {theirs.get(name)}, this run has "
                f"{header.get(name)}: give the options it began with, or another -o"
            )
