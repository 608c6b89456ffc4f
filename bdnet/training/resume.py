"""The file that lets an interrupted training continue as if nothing had happened."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import nn

from bdnet.errors import InputError
from bdnet.training.recipe import Recipe, option

FORMAT = 1


@dataclass
class Progress:
    """What has been done so far.

    Args:
        epochs: finished epochs.
        seconds: time spent on them, over all runs.
        cpu_seconds: the processor's time, over all threads; other work on the machine does not
            add to it.
        history: for each finished epoch its loss and validation accuracy.
    """

    epochs: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)


def resume_path(output: Path) -> Path:
    """Where the state of a training into ``output`` is kept until it is finished."""
    return output.with_name(output.name + ".resume")


def write(
    path: Path,
    recipe: Recipe,
    data_digest: str,
    progress: Progress,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Replaces the file at ``path`` in one step, so that it is never half written."""
    part = path.with_name(path.name + ".part")
    try:
        torch.save(
            {
                "format": FORMAT,
                "recipe": recipe.to_dict(),
                "data": data_digest,
                "progress": asdict(progress),
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
            },
            part,
        )
        part.replace(path)
    except (OSError, RuntimeError) as error:
        raise InputError(f"{path} cannot be written: {error}") from None


def read(
    path: Path,
    recipe: Recipe,
    data_digest: str,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> Progress:
    """Loads the state at ``path`` into ``model`` and ``optimizer``.

    Raises:
        InputError: the file is damaged, or of a training by another recipe or on other data.
    """
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if content["format"] != FORMAT:
            raise KeyError("format")
        theirs: dict[str, Any] = content["recipe"]
        ours = recipe.to_dict()
        for name in sorted(theirs.keys() | ours.keys()):
            if theirs.get(name) != ours.get(name):
                raise InputError(
                    f"{path} is of a training with {option(name)} {theirs.get(name)}, this one has "
                    f"{ours.get(name)}: run the command that began it, or delete the file to "
                    "begin anew"
                )
        if content["data"] != data_digest:
            raise InputError(
                f"{path} is of a training on other images: give the folder it began with to "
                "--data, or delete the file to begin anew"
            )
        model.load_state_dict(content["model"])
        optimizer.load_state_dict(content["optimizer"])
        return Progress(**content["progress"])
    except (UnpicklingError, RuntimeError, EOFError, KeyError, TypeError, OSError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{path} cannot be continued from ({reason}): delete it to begin anew"
        ) from None
