"""The cells of a matrix: one model, device, number of threads and batch each."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from bdnet_devices.bench_result import SCHEMA
from bdnet_devices.inventory import DeviceEntry
from bdnet_export.matrix.config import Matrix
from bdnet_runtime import InputError, __version__

# They decide whether a cell is measured and not what is found, or are in the device's entry.
NOT_IN_THE_KEY = ("cool_down", "inventory")


@dataclass(frozen=True)
class Cell:
    """One measurement.

    Args:
        batch: images a run; None: what the model fixes, otherwise 1.
        board: what two devices have in common that are one board.
        arguments: of ``bdnet-export``, without where the result goes.
        file: the result's. Its name says which cell it is, and a digest of all that would give
            another result; `part` is what it is called until it is whole.
    """

    model: Path
    device: str
    threads: int
    batch: int | None
    board: str
    arguments: tuple[str, ...]
    file: Path

    @property
    def part(self) -> Path:
        return self.file.with_name(f"{self.file.name}.part")

    @property
    def note(self) -> Path:
        """Where it says why it failed; its name is none that a report reads."""
        return self.file.with_name(f"{self.file.stem}.failed.txt")

    @property
    def command(self) -> str:
        """What a user would type."""
        return shlex.join(["bdnet-export", *self.arguments, "--json", str(self.file)])

    @property
    def label(self) -> str:
        """In words, without the device."""
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        batch = "" if self.batch is None else f", batch {self.batch}"
        return f"{self.model.name}, {threads}{batch}"


def cells_of(matrix: Matrix) -> list[Cell]:
    """In the order of the file: models, in each devices, in each threads, in each batches.

    Raises:
        InputError: a file that is measured cannot be read.
    """
    digest = cache(_digest)
    made: dict[Path, Cell] = {}  # a file that stands under two names is measured once
    for model, (device, entry), threads, batch in product(
        matrix.models, matrix.devices.items(), matrix.threads, matrix.batches
    ):
        options = {**matrix.options, **_source_option(matrix, model)}
        counted = {
            "schema": SCHEMA,
            "bdnet": __version__,
            "model": digest(model),
            "device": _entry(entry),
            "options": {
                key: _content(value, digest)
                for key, value in options.items()
                if key not in NOT_IN_THE_KEY
            },
        }
        key = hashlib.sha256(json.dumps(counted, sort_keys=True).encode()).hexdigest()[:8]
        images = "" if batch is None else f".b{batch}"
        file = matrix.results / f"{model.stem}.{device}.t{threads}{images}.{key}.json"
        command = {"device": device, "threads": threads, "batch": batch, **options}
        arguments = ("bench", str(model), *_arguments(command))
        made.setdefault(file, Cell(model, device, threads, batch, _board(entry), arguments, file))
    return [*made.values()]


def _source_option(matrix: Matrix, model: Path) -> dict[str, Path | str]:
    return {"source": matrix.sources[model]} if model in matrix.sources else {}


def _arguments(options: Mapping[str, Any]) -> list[str]:
    """As bench takes them."""
    made = []
    for key, value in options.items():
        option = f"--{key.replace('_', '-')}"
        if isinstance(value, tuple):
            made += [option, ",".join(map(str, value))]
        elif value is True:
            made.append(option)
        elif value is not None and value is not False:
            made += [option, str(value)]
    return made


def _board(entry: DeviceEntry | None) -> str:
    """How it is reached: two devices with the same way lead to one board."""
    return "" if entry is None else entry.by_hand()


def _entry(entry: DeviceEntry | None) -> dict[str, Any] | None:
    """Without the folder of its ssh_config, which depends on where the matrix is run from."""
    if entry is None or entry.ssh_config is None:
        return None if entry is None else asdict(entry)
    return {**asdict(entry), "ssh_config": Path(entry.ssh_config).name}


def _content(value: Any, digest: Any) -> Any:
    """An option as it counts: a file by its name and content, wherever it lies."""
    if isinstance(value, tuple):
        return [_content(item, digest) for item in value]
    return [value.name, digest(value)] if isinstance(value, Path) else value


def _digest(path: Path) -> str:
    """Of a file's content, or of a folder's files."""
    made = hashlib.sha256()
    try:
        if not path.is_dir():
            made.update(path.read_bytes())
        else:
            for file in sorted(path.rglob("*")):
                if file.is_file():
                    made.update(f"{file.relative_to(path)}\0{_digest(file)}\0".encode())
    except OSError as error:
        raise InputError(f"{error.filename} cannot be read: {error.strerror}") from None
    return made.hexdigest()
