"""The grid of the ablation, and the training of one of its cells."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from bdnet.analysis import experiment
from bdnet.analysis.experiment import RESIDUALS, Data, Settings
from bdnet.data import fashion_mnist
from bdnet.models.arguments import Weights
from bdnet.training import loop
from bdnet.units import Residual

WEIGHTS: tuple[Weights, ...] = ("binary", "ternary")


@dataclass(frozen=True)
class Cell:
    """A cell of the grid."""

    residual: Residual
    depthwise: Weights
    pointwise: Weights


GRID = tuple(
    Cell(residual, depthwise, pointwise)
    for depthwise, pointwise, residual in itertools.product(WEIGHTS, WEIGHTS, RESIDUALS)
)


@dataclass(frozen=True)
class Run:
    """One training, with what came of it.

    Args:
        loss: mean of the last epoch.
        validation_accuracy, test_accuracy: of the network of the last epoch, 0 to 1.
        seconds, cpu_seconds: of the training.
        torch: PyTorch's version.
    """

    cell: Cell
    seed: int
    loss: float
    validation_accuracy: float
    test_accuracy: float
    seconds: float
    cpu_seconds: float
    torch: str

    def to_dict(self) -> dict[str, Any]:
        values = {**vars(self), **vars(self.cell)}
        del values["cell"]
        return values

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Run:
        rest = dict(values)
        cell = Cell(*(rest.pop(name) for name in ("residual", "depthwise", "pointwise")))
        return Run(cell, **rest)


def plan(seeds: int) -> list[tuple[Cell, int]]:
    """All runs in their order, seed by seed: one that is cut short leaves whole seeds."""
    return [(cell, seed) for seed in range(seeds) for cell in GRID]


def train(cell: Cell, seed: int, settings: Settings, data: Data, resume_file: Path) -> Run:
    """Trains ``cell``, from where ``resume_file`` left off if it exists; removes that file."""
    which = (cell.residual, cell.depthwise, cell.pointwise, seed)
    model = experiment.build(settings, *which)
    preprocessing = fashion_mnist.PREPROCESSING
    progress = loop.train(
        model,
        settings.recipe(*which),
        data.training,
        data.validation,
        preprocessing,
        resume_file,
        Console(quiet=True),
    )
    run = Run(
        cell,
        seed,
        loss=progress.history[-1]["loss"],
        validation_accuracy=progress.history[-1]["validation_accuracy"],
        test_accuracy=loop.accuracy(model, data.test, preprocessing),
        seconds=round(progress.seconds, 1),
        cpu_seconds=round(progress.cpu_seconds, 1),
        torch=torch.__version__,
    )
    resume_file.unlink()
    return run
