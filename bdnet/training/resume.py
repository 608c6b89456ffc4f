"""The file that lets an interrupted training continue as if nothing had happened."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from bdnet.errors import InputError
from bdnet.training.recipe import Recipe, option
from bdnet.training.trainee import Trainee

FORMAT = 2


@dataclass
class Best:
    """The epoch with the highest validation accuracy, the first of equals.

    Args:
        epoch: counted from 1, over both stages.
        weights: the network's, as they were evaluated.
    """

    epoch: int
    validation_accuracy: float
    weights: dict[str, Tensor]


@dataclass
class Progress:
    """What has been done so far.

    Args:
        epochs: finished epochs.
        seconds: time spent on them, over all runs.
        cpu_seconds: the processor's time, over all threads; other work on the machine does not
            add to it.
        history: for each finished epoch its loss and validation accuracy.
        best: of the epochs in which all that the deployment form binarises was binary.
    """

    epochs: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    best: Best | None = None

    def add(
        self, trainee: Trainee, loss: float, accuracy: float, seconds: float, cpu_seconds: float
    ) -> None:
        """One more epoch is done; ``accuracy`` is that of the validation images."""
        self.epochs += 1
        self.seconds += seconds
        self.cpu_seconds += cpu_seconds
        self.history.append({"loss": loss, "validation_accuracy": accuracy})
        if not trainee.stage.real_weights and (
            self.best is None or accuracy > self.best.validation_accuracy
        ):
            weights = trainee.evaluated.state_dict()
            copies = {name: tensor.cpu().clone() for name, tensor in weights.items()}
            self.best = Best(self.epochs, accuracy, copies)


@dataclass(frozen=True)
class Origin:
    """What a training must have in common with the file it continues from.

    Args:
        data: digest of the training images.
        teacher: digest of the teacher's weights, None without one.
    """

    recipe: Recipe
    data: str
    teacher: str | None


def resume_path(output: Path) -> Path:
    """Where the state of a training into ``output`` is kept until it is finished."""
    return output.with_name(output.name + ".resume")


def write(path: Path, origin: Origin, progress: Progress, trainee: Trainee) -> None:
    """Replaces the file at ``path`` in one step, so that it is never half written."""
    part = path.with_name(path.name + ".part")
    try:
        torch.save(
            {
                "format": FORMAT,
                "recipe": origin.recipe.to_dict(),
                "data": origin.data,
                "teacher": origin.teacher,
                # Not asdict, which would copy the weights.
                "progress": {**vars(progress), "best": progress.best and vars(progress.best)},
                "trainee": trainee.state(),
            },
            part,
        )
        part.replace(path)
    except (OSError, RuntimeError) as error:
        raise InputError(f"{path} cannot be written: {error}") from None


@dataclass(frozen=True)
class Saved:
    """What `read` found.

    Args:
        trainee: for `Trainee.load_state`.
    """

    progress: Progress
    trainee: dict[str, Any]


def read(path: Path, origin: Origin) -> Saved:
    """The state at ``path``.

    Raises:
        InputError: the file is damaged, or of a training by another recipe, on other data or with
            another teacher.
    """
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if content["format"] != FORMAT:
            raise KeyError("format")
        _require_same(path, content, origin)
        fields = content["progress"]
        best = None if fields["best"] is None else Best(**fields["best"])
        return Saved(Progress(**{**fields, "best": best}), content["trainee"])
    except (UnpicklingError, RuntimeError, EOFError, KeyError, TypeError, OSError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{path} cannot be continued from ({reason}): delete it to begin anew"
        ) from None


def _require_same(path: Path, content: dict[str, Any], origin: Origin) -> None:
    theirs: dict[str, Any] = content["recipe"]
    ours = origin.recipe.to_dict()
    for name in sorted(theirs.keys() | ours.keys()):
        if theirs.get(name) != ours.get(name):
            raise InputError(
                f"{path} is of a training with {option(name)} {theirs.get(name)}, this one has "
                f"{ours.get(name)}: run the command that began it, or delete the file to "
                "begin anew"
            )
    if content["data"] != origin.data:
        raise InputError(
            f"{path} is of a training on other images: give the folder it began with to "
            "--data, or delete the file to begin anew"
        )
    if content["teacher"] != origin.teacher:
        raise InputError(
            f"{path} is of a training with another teacher: give the one it began with to "
            "--teacher, or delete the file to begin anew"
        )
