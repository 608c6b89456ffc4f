"""The table and the plot of curvature during training."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bdnet.analysis import plots
from bdnet.analysis.experiment import RESIDUAL_NAMES, RESIDUALS
from bdnet.analysis.report_files import write_report
from bdnet.errors import InputError
from bdnet.units import Residual

_Point = dict[str, Any]


def _greatest_magnitude(point: _Point) -> float:
    return float(max(-point["ritz"][0], point["ritz"][-1]))


_COLUMNS: tuple[tuple[str, Callable[[_Point], float]], ...] = (
    ("loss", lambda point: point["loss"]),
    ("greatest", lambda point: point["ritz"][-1]),
    ("least", lambda point: point["ritz"][0]),
    ("greatest / rms", lambda point: _greatest_magnitude(point) / point["rms"]),
    ("greatest / bulk", lambda point: _greatest_magnitude(point) / point["bulk_rms"]),
)
"""The estimates. The last two stand for the condition number.

That one, the greatest over the least magnitude of an eigenvalue, is of no use for a network, whose
Hessian has eigenvalues of both signs and most of them near 0. So it is the greatest magnitude over
a typical one: the root mean square of all eigenvalues, or of those that Lanczos did not single out.
"""
_CONDITIONS = _COLUMNS[-2:]


_Points = dict[Residual, list[list[_Point]]]
"""For each residual and seed the points of the training."""


def points_of_whole_seeds(entries: Sequence[dict[str, Any]]) -> _Points:
    """The points of the seeds whose trainings are all finished, of a journal's entries."""
    found = {(entry["residual"], entry["seed"]): entry for entry in entries}
    seeds = sorted({seed for _, seed in found})
    whole = [seed for seed in seeds if all((residual, seed) in found for residual in RESIDUALS)]
    return {residual: [found[residual, seed]["points"] for seed in whole] for residual in RESIDUALS}


def write(folder: Path, entries: Sequence[dict[str, Any]]) -> str:
    """Writes table and plot of the finished seeds into ``folder`` and returns the table.

    Raises:
        InputError: no seed is finished, the folder cannot be written, there is no matplotlib.
    """
    points = points_of_whole_seeds(entries)
    if not points[RESIDUALS[0]]:
        raise InputError(f"no seed in {folder} is finished; run without --report")
    text = table(points)
    write_report(folder, text, lambda path: draw(path, points))
    return text


def table(points: _Points) -> str:
    """Two tables in Markdown: the estimates, and the conditions of residuals against each other."""
    names = [name for name, _ in _COLUMNS]
    lines = [f"| steps | residual | n | {' | '.join(names)} |", "|---" * (3 + len(names)) + "|"]
    places = range(len(points[RESIDUALS[0]][0]))
    for place in places:
        for residual in RESIDUALS:
            at = [of_seed[place] for of_seed in points[residual]]
            values = [_mean_and_deviation([of(point) for point in at]) for _, of in _COLUMNS]
            lines.append(
                f"| {at[0]['step']} | {RESIDUAL_NAMES[residual]} | {len(at)} "
                f"| {' | '.join(values)} |"
            )
    against: tuple[tuple[Residual, Residual], ...] = (("pre_bn", "none"), ("pre_bn", "post_bn"))
    names = [
        f"{name}: {RESIDUAL_NAMES[above]} / {RESIDUAL_NAMES[below]}"
        for name, _ in _CONDITIONS
        for above, below in against
    ]
    lines += ["", f"| steps | {' | '.join(names)} |", "|---" * (1 + len(names)) + "|"]
    for place in places:
        ratios = [
            _ratios(
                [
                    of(seed[place]) / of(other[place])
                    for seed, other in zip(points[above], points[below], strict=True)
                ]
            )
            for _, of in _CONDITIONS
            for above, below in against
        ]
        lines.append(f"| {points[RESIDUALS[0]][0][place]['step']} | {' | '.join(ratios)} |")
    all_points = [point for seeds in points.values() for seed in seeds for point in seed]
    greatest, least = (max(point["bounds"][end] for point in all_points) for end in (-1, 0))
    lines += [
        "",
        "Mean ± standard deviation over seeds; ratios within each seed, the least to the greatest. "
        f"Each greatest is within {greatest:.0e} of an eigenvalue, each least within {least:.0e}.",
    ]
    return "\n".join(lines) + "\n"


def _mean_and_deviation(values: Sequence[float]) -> str:
    """With three digits of the mean, or more of a deviation that is greater."""
    mean = statistics.fmean(values)
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    largest = max(abs(mean), deviation)
    decimals = max(0, 2 - math.floor(math.log10(largest))) if largest > 0 else 0
    shown = f"{mean:.{decimals}f}"
    return shown if len(values) < 2 else f"{shown} ± {deviation:.{decimals}f}"


def _ratios(ratios: Sequence[float]) -> str:
    return f"{min(ratios):.2f} to {max(ratios):.2f}"


def draw(path: Path, points: _Points) -> None:
    """A panel for each estimate over the steps of training, a line for each residual and seed."""
    shown = [column for column in _COLUMNS if column[0] != "loss"]
    with plots.drawing(path, 7.2, 5.0) as figure:
        for axes, (name, of) in zip(figure.subplots(2, 2).flat, shown, strict=True):
            for residual, colour in zip(RESIDUALS, plots.COLOURS, strict=False):
                for number, of_seed in enumerate(points[residual]):
                    axes.plot(
                        [point["step"] for point in of_seed],
                        [of(point) for point in of_seed],
                        "o-",
                        ms=3,
                        color=colour,
                        alpha=0.8,
                        label=RESIDUAL_NAMES[residual] if number == 0 else None,
                    )
            axes.set_title(name if "/" in name else f"{name} eigenvalue")
            axes.set_xlabel("steps of training")
            if name == "greatest":
                axes.set_yscale("log")
                axes.yaxis.set_major_formatter("{x:g}")
                axes.legend()
