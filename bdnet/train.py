"""Trains a network by a recipe: ``python -m bdnet.train --data NAME -o OUT.safetensors``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from bdnet.checkpoint import SUFFIX, save
from bdnet.command import exit_status
from bdnet.data.data_set import DataSet
from bdnet.data.sources import open_data
from bdnet.errors import InputError
from bdnet.models import Network
from bdnet.training import loop, processes, resume
from bdnet.training.command_line import Request, parse
from bdnet.training.log import open_log
from bdnet.training.teacher import load_teacher


def best_path(output: Path) -> Path:
    """Where the network of the best epoch goes, next to ``output``, the last epoch's."""
    return output.with_name(f"{output.stem}.best{SUFFIX}")


def run(request: Request, console: Console) -> None:
    """Trains as ``request`` says, into two checkpoints: of the last epoch and of the best.

    Raises:
        InputError: data or output cannot be used, or the training cannot be continued.
    """
    recipe, output = request.recipe, request.output
    resume_file = resume.resume_path(output)
    _require_free(output, resume_file)
    data = open_data(request.data, request.data_folder, recipe.image_size, request.download)
    log = open_log(request.log)
    teacher = load_teacher(recipe, len(data.classes), data.shape)
    model = recipe.build(len(data.classes), in_channels=data.shape[0])
    progress = loop.train(
        model,
        recipe,
        data.training,
        data.validation,
        data.preprocessing,
        resume_file,
        console,
        teacher=teacher,
        log=log,
    )
    if not processes.leave():
        return
    record = _record(request, data, progress)
    last = progress.history[-1]["validation_accuracy"]
    _save(model, output, data, console, {**record, "network": "of the last epoch"}, last)
    best = progress.best
    assert best is not None  # there is an epoch at least, and the last are binary
    model.load_state_dict(best.weights)
    which = f"of epoch {best.epoch}, the best of {progress.epochs} by validation accuracy"
    record = {**record, "network": which}
    _save(model, best_path(output), data, console, record, best.validation_accuracy)
    resume_file.unlink()
    console.print(f"trained in {progress.seconds / 60:.1f} min", highlight=False)


def _require_free(output: Path, resume_file: Path) -> None:
    if output.suffix != SUFFIX:
        raise InputError(f"-o is {output}; a checkpoint is a {SUFFIX} file")
    if not output.parent.is_dir():
        raise InputError(f"there is no folder {output.parent} to write {output.name} into")
    for path in (output, best_path(output)):
        if path.exists() and not resume_file.exists():
            raise InputError(f"{path} is there already; move it away or choose another -o")


def _record(request: Request, data: DataSet, progress: resume.Progress) -> dict[str, Any]:
    """What both checkpoints say of their training."""
    parts = {"training": data.training, "validation": data.validation, "test": data.test}
    return {
        "command": request.command(),
        "recipe": request.recipe.to_dict(),
        "data": data.name,
        "classes": list(data.classes),
        "images": {name: 0 if part is None else len(part) for name, part in parts.items()},
        "seconds": round(progress.seconds, 1),
        "cpu_seconds": round(progress.cpu_seconds, 1),
        "torch": torch.__version__,
    }


def _save(
    model: Network,
    path: Path,
    data: DataSet,
    console: Console,
    record: dict[str, Any],
    validation_accuracy: float,
) -> None:
    test = None if data.test is None else loop.accuracy(model, data.test, data.preprocessing)
    save(
        model,
        path,
        input_shape=data.shape,
        preprocessing=data.preprocessing,
        training={**record, "validation_accuracy": validation_accuracy, "test_accuracy": test},
    )
    tested = "no test images" if test is None else f"test {100 * test:.2f} %"
    console.print(
        f"{path}: {record['network']}: validation {100 * validation_accuracy:.2f} %, {tested}, "
        f"{path.stat().st_size / 1e6:.2f} MB",
        highlight=False,
        soft_wrap=True,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit status: 0, or 2 for input that cannot be used."""
    return exit_status(
        lambda: run(parse(arguments), Console()),
        "interrupted; the same command continues after the last epoch",
    )


if __name__ == "__main__":
    processes.end(main())
