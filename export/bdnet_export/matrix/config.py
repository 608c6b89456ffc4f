"""A matrix's file, such as bench.toml: read, and checked as a whole before anything is measured.

    models = ["a.onnx", "b.onnx"]
    devices = ["local", "pi5"]
    threads = [1, 4]

docs/devices.md describes every key.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bdnet_devices.care import Care
from bdnet_devices.inventory import LOCAL, DeviceEntry, Inventory
from bdnet_devices.turns import require_rounds
from bdnet_export.matrix.values import KEYS, OPTIONS
from bdnet_runtime import InputError
from bdnet_runtime.benchmark import BenchmarkOptions
from bdnet_runtime.lite import SUFFIX as LITE

RESULTS = "results"
TIME_LIMIT = 3600.0  # seconds; a cell that hangs must not hold up a night's measurements
CHECKPOINTS = (".safetensors", ".pt", ".pth")


@dataclass(frozen=True)
class Matrix:
    """What a file asks for. Paths in it are relative to its folder; here they are usable.

    Args:
        devices: by name; None is this machine.
        batches: images a run; None: what a model fixes, otherwise 1.
        sources: the trained network of a model, where there is one: a checkpoint, or text.
        options: of bench, the same for every cell, by their key.
        results: the folder for them.
        time_limit: seconds that one cell may take.
    """

    path: Path
    models: tuple[Path, ...]
    devices: Mapping[str, DeviceEntry | None]
    threads: tuple[int, ...]
    batches: tuple[int | None, ...]
    sources: Mapping[Path, Path | str]
    options: Mapping[str, Any]
    results: Path
    time_limit: float


def load_matrix(path: Path) -> Matrix:
    """Reads ``path`` and checks all that can be checked without measuring.

    Raises:
        InputError: it cannot be read, is no matrix, or asks for what cannot be measured.
    """
    values = _read(path)
    folder = path.parent
    if "models" not in values:
        raise InputError(f'{path}: no models; expected a line like models = ["a.onnx"]')
    models = {text: _model(path, folder, text) for text in values["models"]}
    options = {key: values[key] for key in OPTIONS if key in values}
    for key in ("images", "inventory", "wheel"):
        if key in options:
            options[key] = _beside(folder, options[key])
    for key in ("images", "wheel"):
        if key in options and not options[key].exists():
            raise _missing(path, key, options[key], "name one that is there")
    if "against" in options:
        options["against"] = tuple(_peer(folder, name) for name in options["against"])
    matrix = Matrix(
        path,
        tuple(models.values()),
        _devices(path, values.get("devices", (LOCAL,)), options.get("inventory")),
        values.get("threads", (1,)),
        values.get("batch", (None,)),
        _sources(path, models, values.get("source", {})),
        options,
        _beside(folder, values.get("results", RESULTS)),
        values.get("time_limit", TIME_LIMIT),
    )
    _require_options_that_fit(matrix)
    _require_values_in_range(matrix)
    return matrix


def _read(path: Path) -> dict[str, Any]:
    """The values by key, each of its kind."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        content = tomlkit.parse(path.read_text(encoding="utf-8")).unwrap()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise InputError(f"{path} cannot be read: {why}") from None
    except TOMLKitError as error:
        raise InputError(f"{path} is not TOML: {error}; mend it by hand") from None
    values = {}
    for key, value in content.items():
        if key not in KEYS:
            hint = _close(key, KEYS) or f"expected {', '.join(KEYS)}"
            raise InputError(f"{path}: {key!r} is not known; {hint}")
        try:
            values[key] = KEYS[key].read(value)
        except ValueError:
            expected = KEYS[key].expected
            raise InputError(f"{path}: {key} is {value!r}; expected {expected}") from None
    return values


def _model(path: Path, folder: Path, text: str) -> Path:
    model = _beside(folder, text)
    if model.suffix != ".onnx":
        raise InputError(f"{path}: models has {text!r}, which does not end in .onnx")
    if not model.is_file():
        raise _missing(path, "models", model, "make it with 'bdnet-export export'")
    return model


def _peer(folder: Path, name: str) -> str | Path:
    """A file that the models are measured beside, or the name of something else."""
    return _beside(folder, name) if name.endswith((".onnx", LITE)) else name


def _devices(
    path: Path, names: Iterable[str], inventory: Path | None
) -> dict[str, DeviceEntry | None]:
    listed = Inventory.load(inventory)
    try:
        return {name: None if name == LOCAL else listed.get(name) for name in names}
    except InputError as error:
        raise InputError(f"{path}: devices: {error}") from None


def _sources(
    path: Path, models: Mapping[str, Path], source: str | dict[str, str]
) -> dict[Path, Path | str]:
    if isinstance(source, str):
        source = dict.fromkeys(models, source)
    found = {}
    for model, text in source.items():
        if model not in models:
            hint = _close(model, models) or f"expected one of them: {', '.join(models)}"
            raise InputError(f"{path}: source has {model!r}, which models has not; {hint}")
        found[models[model]] = _source(path, text)
    return found


def _source(path: Path, text: str) -> Path | str:
    file = _beside(path.parent, text)
    if file.suffix in CHECKPOINTS or file.is_file():
        if not file.is_file():
            raise _missing(path, "source", file, "name a checkpoint that is there")
        return file
    if ":" not in text:
        from bdnet import zoo  # it brings PyTorch

        try:
            zoo.checkpoint_path(text)
        except ValueError as error:
            raise InputError(f"{path}: source: {error}") from None
    return text


def _require_options_that_fit(matrix: Matrix) -> None:
    """What bench refuses is said once, and not for every cell."""
    options, against = matrix.options, matrix.options.get("against", ())
    for key, fits, reason in (
        ("rounds", against, "nothing takes turns without 'against'"),
        ("images", "int8" in against, "they are for \"int8\" in 'against'"),
        ("profile", not against, "it shows one file, and 'against' names others"),
    ):
        if options.get(key) and not fits:
            raise InputError(f"{matrix.path}: {key} is given, but {reason}; leave it out")
    needed = options.get("seconds", BenchmarkOptions.seconds) * (1 + len(against))
    if "max_temperature" in options:
        needed += options.get("cool_down", Care.cool_down)
    if needed >= matrix.time_limit:
        raise InputError(
            f"{matrix.path}: to cool down and to measure may take {needed:g} s, but time_limit is "
            f"{matrix.time_limit:g} s; raise it, or take fewer seconds"
        )


def _require_values_in_range(matrix: Matrix) -> None:
    options, against = matrix.options, [*map(str, matrix.options.get("against", ()))]
    given = {key: options[key] for key in ("warmup", "seconds") if key in options}
    try:
        for threads in matrix.threads:
            for batch in matrix.batches:
                BenchmarkOptions(threads=threads, batch=batch, **given)
        if "rounds" in options:
            require_rounds(options["rounds"])
        if against:
            from bdnet_export.contestants import needs_lite, require_known
            from bdnet_runtime.lite import lite_runtime

            require_known(against)
            if LOCAL in matrix.devices and needs_lite(against):
                lite_runtime()
    except ValueError as error:  # of whichever package
        raise InputError(f"{matrix.path}: {error}") from None


def _beside(folder: Path, text: str) -> Path:
    return folder / Path(text).expanduser()


def _close(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, [*known], n=1)
    return f"did you mean {close[0]!r}?" if close else ""


def _missing(path: Path, key: str, file: Path, remedy: str) -> InputError:
    there = [beside.stem for beside in file.parent.glob(f"*{file.suffix}")]
    close = difflib.get_close_matches(file.stem, there, n=1)
    hint = f"did you mean {close[0] + file.suffix!r}?" if close else remedy
    return InputError(f"{path}: {key}: there is no file {str(file)!r}; {hint}")
