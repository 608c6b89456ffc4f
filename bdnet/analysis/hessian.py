"""The loss's curvature in training, by residual: ``python -m bdnet.analysis.hessian -o FOLDER``.

Small networks with no residual, post-BN and pre-BN residuals are trained on Fashion-MNIST, and at
several points the extreme eigenvalues of the Hessian and its condition are estimated. FOLDER keeps
each training's result as it comes, a table and a plot. `bdnet.analysis.curvature` says which
Hessian a network of signs has.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor, nn

from bdnet.analysis import curvature, experiment, hessian_report, journal, lanczos, trajectory
from bdnet.analysis.experiment import RESIDUALS, Data, Settings
from bdnet.command import comma_list, exit_status
from bdnet.data import fashion_mnist
from bdnet.errors import InputError
from bdnet.models.arguments import Weights
from bdnet.units import Residual

_EXPERIMENT = "hessian"
_DEPTHWISE: Weights = "ternary"
_POINTWISE: Weights = "binary"


@dataclass(frozen=True)
class Estimate:
    """How much is spent on the estimates.

    Args:
        points: of the training, as shares of it, 0 to 1.
        batches: of the training's batch size, the first images; the loss is their mean, and each
            is normalised by itself, as in training.
        steps: of Lanczos.
        probes: for the mean squares of the eigenvalues.
    """

    points: tuple[float, ...] = (0.0, 0.05, 0.25, 0.5, 1.0)
    batches: int = 4
    steps: int = 20
    probes: int = 3

    def __post_init__(self) -> None:
        if not self.points or not all(0 <= point <= 1 for point in self.points):
            raise InputError(f"--points is {list(self.points)}; they must be 0 to 1")
        if min(self.batches, self.steps, self.probes) < 1:
            raise InputError("--batches, --steps and --probes must be 1 or more")


def estimate(
    model: nn.Module, images: Sequence[Tensor], labels: Sequence[Tensor], spent: Estimate, seed: int
) -> dict[str, Any]:
    """The curvature of the mean loss of some batches.

    Args:
        images, labels: of each batch, as `curvature.training_hessian` takes them.
        seed: of the random vectors.

    Returns:
        ``loss``; ``ritz``, approximate eigenvalues, ascending; ``bounds``, how far an eigenvalue is
        from each at most; ``rms`` and ``bulk_rms``, the roots of `lanczos.mean_squares`.
    """
    operator = curvature.training_hessian(model, images, labels)
    generator = torch.Generator().manual_seed(seed)
    start = lanczos.random_unit(operator.size, generator)
    krylov = lanczos.lanczos(operator, start, spent.steps)
    values, bounds = krylov.ritz()
    square, bulk = lanczos.mean_squares(operator, krylov, spent.probes, generator)
    return {
        "loss": operator.loss,
        "ritz": values.tolist(),
        "bounds": bounds.tolist(),
        "rms": square**0.5,
        "bulk_rms": bulk**0.5,
    }


def follow(
    residual: Residual, seed: int, settings: Settings, spent: Estimate, data: Data
) -> dict[str, Any]:
    """Trains one network and estimates its curvature at the points: an entry of the journal."""
    start = time.perf_counter()
    all_steps = settings.epochs * (len(data.training) // settings.batch_size)
    steps = [round(point * all_steps) for point in spent.points]
    model, states = trajectory.train(settings, residual, _DEPTHWISE, _POINTWISE, seed, data, steps)
    images, labels = [], []
    for first in range(0, spent.batches * settings.batch_size, settings.batch_size):
        part = slice(first, first + settings.batch_size)
        images.append(torch.from_numpy(fashion_mnist.PREPROCESSING(data.training.images[part])))
        labels.append(torch.from_numpy(data.training.labels[part]).long())
    points = []
    for point, step, state in zip(spent.points, steps, states, strict=True):
        model.load_state_dict(state)
        found = estimate(model, images, labels, spent, seed)
        points.append({"point": point, "step": step, **found})
    return {
        "residual": residual,
        "seed": seed,
        "points": points,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "seconds": round(time.perf_counter() - start, 1),
        "torch": torch.__version__,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bdnet.analysis.hessian",
        description="Train networks with no residual, post-BN and pre-BN residuals on "
        "Fashion-MNIST and estimate the curvature of their loss at several points. Interrupted, "
        "the same command continues after the last training; more seeds can be added later.",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        help="folder of the results, the table and the plot",
    )
    parser.add_argument(
        "--seeds", type=int, default=3, metavar="N", help="trainings of each residual (default: 3)"
    )
    parser.add_argument(
        "--report",
        action="store_true",
        help="write table and plot of the seeds that are finished, and train nothing",
    )
    default = Estimate()
    parser.add_argument(
        "--points",
        type=comma_list(float, "0,0.5,1"),
        default=default.points,
        metavar="P,P,...",
        help="where in the training, 0 to 1 (default: "
        f"{','.join(f'{point:g}' for point in default.points)})",
    )
    for name, text in (
        ("batches", "batches the loss is the mean of"),
        ("steps", "steps of Lanczos"),
        ("probes", "random vectors for the mean squares of the eigenvalues"),
    ):
        parser.add_argument(
            f"--{name}",
            type=int,
            default=getattr(default, name),
            metavar="N",
            help=f"{text} (default: %(default)s)",
        )
    experiment.add_options(parser)
    return parser


def run(
    settings: Settings,
    spent: Estimate,
    seeds: int,
    output: Path,
    data: Path | None,
    console: Console,
) -> None:
    """Makes the estimates that are missing in ``output`` and writes table and plot.

    Raises:
        InputError: settings, data or output cannot be used.
    """
    if seeds < 1:
        raise InputError(f"--seeds is {seeds}; it must be 1 or more")
    images = experiment.read_data(data, settings.images)
    if spent.batches * settings.batch_size > len(images.training):
        raise InputError(
            f"--batches {spent.batches} of {settings.batch_size} images are more than the "
            f"{len(images.training)} training images"
        )
    parameters = settings.to_dict() | {
        "points": list(spent.points),
        "batches": spent.batches,
        "steps": spent.steps,
        "probes": spent.probes,
        "data": images.digest,
    }
    with journal.continued(output, _EXPERIMENT, parameters) as results:
        done = {(entry["residual"], entry["seed"]) for entry in results.entries}
        planned = [(residual, seed) for seed in range(seeds) for residual in RESIDUALS]
        missing = [which for which in planned if which not in done]
        start = time.monotonic()
        for finished, (residual, seed) in enumerate(missing, 1):
            entry = follow(residual, seed, settings, spent, images)
            results.append(entry)
            left = (time.monotonic() - start) / finished * (len(missing) - finished)
            console.print(
                f"{len(planned) - len(missing) + finished}/{len(planned)}  seed {seed}  "
                f"{residual}  {entry['seconds']:.1f} s  {left / 60:.1f} min left",
                highlight=False,
                soft_wrap=True,
            )
    show(output, console)


def show(output: Path, console: Console) -> None:
    """Writes table and plot of the finished seeds in ``output``.

    Raises:
        InputError: there are no results, or no finished seed.
    """
    results = journal.read(output / journal.FILE, _EXPERIMENT)
    table = hessian_report.write(output, results.entries)
    console.print(table, highlight=False, markup=False, soft_wrap=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit status: 0, or 2 for input that cannot be used."""
    options = _parser().parse_args(arguments)

    def body() -> None:
        if options.report:
            show(options.output, Console())
        else:
            spent = Estimate(options.points, options.batches, options.steps, options.probes)
            settings = experiment.settings(options)
            run(settings, spent, options.seeds, options.output, options.data, Console())

    return exit_status(body, "interrupted; the same command continues after the last training")


if __name__ == "__main__":
    sys.exit(main())
