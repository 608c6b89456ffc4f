"""The teacher of a distillation: a network of ours, or whatever a function makes."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file
from torch import nn

from bdnet.checkpoint import SUFFIX, load
from bdnet.errors import InputError
from bdnet.training.recipe import Recipe

_CHECKPOINTS = (SUFFIX, ".pt", ".pth")


def load_teacher(recipe: Recipe, classes: int, shape: tuple[int, int, int]) -> nn.Module | None:
    """The recipe's teacher with its weights, in evaluation mode; None without one.

    A function, such as ``torchvision.models:resnet34`` or ``timm.models:resnet18``, is called with
    ``num_classes``. The working folder is searched for its module, too.

    Args:
        shape: (C, H, W) of the images, for a trial.

    Raises:
        InputError: it cannot be found or made, its weights do not fit, or it gives something else
            than logits of as many classes.
    """
    name = recipe.teacher
    if name is None:
        return None
    if Path(name).suffix in _CHECKPOINTS or Path(name).is_file():
        if not Path(name).is_file():
            raise InputError(
                f"the teacher {name} is not there: train it first, by the command that the recipe "
                "names, or give another to --teacher"
            )
        if recipe.teacher_weights is not None:
            raise InputError(f"--teacher {name} has its own weights; leave --teacher-weights out")
        teacher: nn.Module = load(name)
    else:
        teacher = _call(name, classes)
        if recipe.teacher_weights is None:
            raise InputError(
                f"--teacher {name} makes a network without training: give the file of its weights "
                "to --teacher-weights"
            )
        _load_weights(teacher, Path(recipe.teacher_weights))
    teacher = teacher.eval().requires_grad_(False)
    try:
        with torch.no_grad():
            logits = teacher(torch.zeros(1, *shape))
        found = list(logits.shape)
    except Exception as error:  # whatever a user's network does
        raise InputError(
            f"--teacher {name} does not take images of {' x '.join(map(str, shape))}: "
            f"{' '.join(str(error).split())}"
        ) from None
    if found != [1, classes]:
        raise InputError(
            f"--teacher {name} answers one image with {found}; expected logits [1, {classes}]"
        )
    return teacher


def _call(name: str, classes: int) -> nn.Module:
    module_name, _, function_name = name.partition(":")
    if not module_name or not function_name:
        raise InputError(
            f"--teacher is {name!r}; expected a checkpoint ({', '.join(_CHECKPOINTS)}) or "
            "package.module:function, such as torchvision.models:resnet34"
        )
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        function = getattr(importlib.import_module(module_name), function_name)
        teacher = function(num_classes=classes)
    except (Exception, SystemExit) as error:  # whatever a user's module does
        raise InputError(
            f"--teacher {name} cannot be made: {type(error).__name__}: {error}"
        ) from None
    if not isinstance(teacher, nn.Module):
        raise InputError(
            f"--teacher {name} returned a {type(teacher).__name__}; expected a torch.nn.Module"
        )
    return teacher


def _load_weights(teacher: nn.Module, path: Path) -> None:
    """A state dict, or a dictionary with one under the names that trainers give it."""
    if not path.is_file():
        raise InputError(f"there is no file {path} with the teacher's weights")
    try:
        content: Mapping[str, Any] = (
            load_file(path)
            if path.suffix == SUFFIX
            else torch.load(path, map_location="cpu", weights_only=True)
        )
        for key in ("state_dict", "model"):
            if isinstance(content.get(key), Mapping):
                content = content[key]
        teacher.load_state_dict(content)
    except (
        AttributeError,
        EOFError,
        OSError,
        RuntimeError,
        TypeError,
        UnpicklingError,
        safetensors.SafetensorError,
    ) as error:
        detail = " ".join(str(error).split())
        raise InputError(f"the weights in {path} do not fit the teacher: {detail[:300]}") from None
