"""The method's parts, taken out one by one: ``python -m bdnet.ablate -o FOLDER``.

A grid of residual (none, post-BN, pre-BN), depth-wise and point-wise weights (binary, ternary) and
seeds is trained on Fashion-MNIST. FOLDER keeps each result as it comes, a table and a plot.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bdnet.ablation import grid, report
from bdnet.analysis import experiment, journal
from bdnet.analysis.experiment import Settings
from bdnet.command import exit_status
from bdnet.errors import InputError

_EXPERIMENT = "ablation"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bdnet.ablate",
        description="Train the grid of residuals, depth-wise and point-wise weights and seeds on "
        "Fashion-MNIST. Interrupted, the same command continues; more seeds can be added later.",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        help="folder of the results, the table and the plot",
    )
    parser.add_argument(
        "--seeds", type=int, default=5, metavar="N", help="runs of each cell (default: 5)"
    )
    parser.add_argument(
        "--report",
        action="store_true",
        help="write table and plot of the seeds that are finished, and train nothing",
    )
    experiment.add_options(parser)
    return parser


def run(settings: Settings, seeds: int, output: Path, data: Path | None, console: Console) -> None:
    """Trains what is missing of the grid in ``output`` and writes table and plot.

    Raises:
        InputError: settings, data or output cannot be used.
    """
    if seeds < 1:
        raise InputError(f"--seeds is {seeds}; it must be 1 or more")
    images = experiment.read_data(data, settings.images)
    parameters = settings.to_dict() | {"data": images.digest}
    with journal.continued(output, _EXPERIMENT, parameters) as results:
        done = {(r.cell, r.seed) for r in map(grid.Run.from_dict, results.entries)}
        planned = grid.plan(seeds)
        missing = [which for which in planned if which not in done]
        start = time.monotonic()
        for trained, (cell, seed) in enumerate(missing, 1):
            # Of its own for each run: a file left by another one would be refused.
            name = f"{cell.residual}-{cell.depthwise}-{cell.pointwise}-{seed}.resume"
            result = grid.train(cell, seed, settings, images, output / name)
            results.append(result.to_dict())
            left = (time.monotonic() - start) / trained * (len(missing) - trained)
            # Test accuracy is for the table, when nothing is left to choose.
            console.print(
                f"{len(planned) - len(missing) + trained}/{len(planned)}  seed {seed}  "
                f"{cell.residual}, {cell.depthwise} depth-wise, {cell.pointwise} point-wise  "
                f"loss {result.loss:.4f}  validation {100 * result.validation_accuracy:.2f} %  "
                f"{result.seconds:.1f} s  {left / 60:.1f} min left",
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
    table = report.write(output, [grid.Run.from_dict(entry) for entry in results.entries])
    console.print(table, highlight=False, markup=False, soft_wrap=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit status: 0, or 2 for input that cannot be used."""
    options = _parser().parse_args(arguments)

    def body() -> None:
        if options.report:
            show(options.output, Console())
        else:
            settings = experiment.settings(options)
            run(settings, options.seeds, options.output, options.data, Console())

    return exit_status(body, "interrupted; the same command continues after the last epoch")


if __name__ == "__main__":
    sys.exit(main())
