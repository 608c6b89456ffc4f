"""The table and the plot of an ablation."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from pathlib import Path

from bdnet.ablation.comparison import (
    CONFIDENCE,
    Comparison,
    comparisons,
    confidence_each,
    whole_seeds,
)
from bdnet.ablation.grid import GRID, WEIGHTS, Run
from bdnet.analysis import plots
from bdnet.analysis.experiment import RESIDUAL_NAMES, RESIDUALS
from bdnet.analysis.report_files import write_report
from bdnet.errors import InputError


def write(folder: Path, runs: Sequence[Run]) -> str:
    """Writes table and plot of the finished seeds into ``folder`` and returns the table.

    Raises:
        InputError: no seed is finished, the folder cannot be written, there is no matplotlib.
    """
    runs = whole_seeds(runs)
    if not runs:
        raise InputError(f"no seed in {folder} is finished; run without --report")
    text = table(runs)
    write_report(folder, text, lambda path: draw(path, runs))
    return text


def table(runs: Sequence[Run]) -> str:
    """Two tables in Markdown: the cells, and what each factor changes.

    Args:
        runs: of whole seeds.
    """
    lines = [
        "| depth-wise | point-wise | residual | n | validation, % | test, % |",
        "|---|---|---|---|---|---|",
    ]
    for cell in GRID:
        of_cell = [run for run in runs if run.cell == cell]
        lines.append(
            f"| {cell.depthwise} | {cell.pointwise} | {RESIDUAL_NAMES[cell.residual]} "
            f"| {len(of_cell)} "
            f"| {_mean_and_deviation([run.validation_accuracy for run in of_cell])} "
            f"| {_mean_and_deviation([run.test_accuracy for run in of_cell])} |"
        )
    lines += [
        "",
        f"| difference of test accuracy | n | points | {100 * confidence_each():g} % interval |",
        "|---|---|---|---|",
    ]
    lines += [_comparison(comparison) for comparison in comparisons(runs)]
    lines += [
        "",
        "Mean ± standard deviation over seeds. A difference is taken within each seed, as the mean "
        f"over the rest of the grid; all intervals together hold with {100 * CONFIDENCE:g} %. "
        f"{len(runs)} trainings took {sum(run.cpu_seconds for run in runs) / 60:.0f} minutes of a "
        "core.",
    ]
    return "\n".join(lines) + "\n"


def _mean_and_deviation(accuracies: Sequence[float]) -> str:
    mean = f"{100 * statistics.fmean(accuracies):.2f}"
    return mean if len(accuracies) < 2 else f"{mean} ± {100 * statistics.stdev(accuracies):.2f}"


def _comparison(comparison: Comparison) -> str:
    mean, half = 100 * comparison.mean, 100 * comparison.half_width(confidence_each())
    interval = f"{mean - half:+.2f} to {mean + half:+.2f}" if math.isfinite(half) else "unknown"
    return f"| {comparison.name} | {len(comparison.differences)} | {mean:+.2f} | {interval} |"


def draw(path: Path, runs: Sequence[Run]) -> None:
    """A column for each residual, in it one for each pair of weights: every seed, and their mean.

    Args:
        runs: of whole seeds.
    """
    kinds = [(depthwise, pointwise) for depthwise in WEIGHTS for pointwise in WEIGHTS]
    with plots.drawing(path, 6.4, 3.8) as figure:
        axes = figure.subplots()
        for number, (depthwise, pointwise) in enumerate(kinds):
            colour = plots.COLOURS[number]
            for place, residual in enumerate(RESIDUALS):
                accuracies = [
                    100 * run.test_accuracy
                    for run in runs
                    if vars(run.cell)
                    == {"residual": residual, "depthwise": depthwise, "pointwise": pointwise}
                ]
                x = place + 0.18 * (number - (len(kinds) - 1) / 2)
                axes.plot([x] * len(accuracies), accuracies, "o", color=colour, alpha=0.45, ms=4)
                mean = statistics.fmean(accuracies)
                label = f"depth-wise {depthwise}, point-wise {pointwise}"
                axes.plot(
                    [x - 0.06, x + 0.06],
                    [mean, mean],
                    color=colour,
                    lw=2.5,
                    label=label if place == 0 else None,
                )
        axes.set_xticks(range(len(RESIDUALS)), [RESIDUAL_NAMES[name] for name in RESIDUALS])
        axes.grid(axis="x", visible=False)
        axes.set_xlabel("residual")
        axes.set_ylabel("test accuracy, %")
        seeds = len({run.seed for run in runs})
        axes.set_title(f"{seeds} seeds a cell: each one, and their mean")
        figure.legend(loc="outside lower center", ncols=2)
