"""Every sample of a result: how they are distributed, and how they came over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from bdnet_devices.report.figures import (
    GRID,
    INK,
    axes,
    drawing,
    scale_of_times,
    series_colour,
    svg,
)
from bdnet_devices.report.results import Result, Run

PERCENTS = (0.1, 1, 10, 50, 90, 99, 99.9, 99.99)
MARKED = ("p50", "p90", "p99")
CURVE_POINTS = 160
BINS = 150


def settings(result: Result) -> list[tuple[int, int]]:
    """Threads and batches of a result, in order."""
    return list(dict.fromkeys((run.threads, run.batch) for run in result.runs))


def setting_words(threads: int, batch: int) -> str:
    return f"{threads} thread{'s' if threads > 1 else ''}, batch {batch}"


def colours(result: Result) -> dict[str, str]:
    """A colour for each contestant, the same in every figure."""
    names = dict.fromkeys(run.name for run in result.runs)
    return {name: series_colour(number) for number, name in enumerate(names)}


def distribution(result: Result, setting: tuple[int, int], name: str) -> str:
    """Share of runs that took at most a time, for every contestant of a setting."""
    runs = [run for run in result.runs if (run.threads, run.batch) == setting]
    with drawing(_height(len(runs))) as figure:
        (plot,) = axes(figure)
        for run in runs:
            shares, times = _curve(sorted(run.samples_ms))
            colour = colours(result)[run.name]
            label = f"{result.name_of(run)}, n = {len(run.samples_ms):,}"
            plot.plot(times, [_logit(share) for share in shares], color=colour, label=label)
            plot.plot(
                [run.latency_ms[mark] for mark in MARKED],
                [_logit(int(mark[1:]) / 100) for mark in MARKED],
                *("o",),
                color=colour,
                markersize=4.5,
            )
        scale_of_times(
            *(plot, "x"),
            min(min(run.samples_ms) for run in runs),
            max(max(run.samples_ms) for run in runs),
        )
        plot.set_xlabel("time, ms")
        plot.set_ylabel("runs that took at most that")
        plot.yaxis.set_major_locator(FixedLocator([_logit(p / 100) for p in PERCENTS]))
        plot.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{_percent(value):.4g} %"))
        figure.legend(loc="outside upper left", ncols=1 if len(runs) < 3 else 2, columnspacing=1.2)
        words = f"Distribution of the latency of {result.model_name}, {setting_words(*setting)}"
        return svg(figure, name, words)


def over_time(result: Result, setting: tuple[int, int], name: str) -> str:
    """The samples in the order they came, for each contestant of a setting."""
    runs = [run for run in result.runs if (run.threads, run.batch) == setting]
    with drawing(_height(len(runs))) as figure:
        plots = axes(figure, len(runs))
        for plot, run in zip(plots, runs, strict=True):
            _draw_over_time(plot, run, colours(result)[run.name])
            plot.set_title(f"{result.name_of(run)}, ms", pad=3)
        plots[-1].set_xlabel("round" if len(runs[0].turns) > 1 else "measured time, s")
        words = f"Latency of {result.model_name} over time, {setting_words(*setting)}"
        return svg(figure, name, words)


def _draw_over_time(plot: Axes, run: Run, colour: str) -> None:
    places = _places(run)
    if len(places) <= 2 * BINS:
        plot.plot(places, run.samples_ms, ".", color=colour, markersize=3)
    else:
        bins = _bins(places, run.samples_ms)
        x = [place for place, _ in bins]
        lower, upper = ([_quantile(times, q) for _, times in bins] for q in (0.1, 0.9))
        plot.fill_between(x, lower, upper, color=colour, alpha=0.35, linewidth=0)
        plot.plot(x, [_quantile(times, 0.5) for _, times in bins], color=colour, linewidth=1.2)
        plot.plot(x, [times[-1] for _, times in bins], ".", color=colour, markersize=2.5)
    plot.axhline(run.latency_ms["p50"], color=INK, linewidth=0.6, linestyle=(0, (3, 3)))
    scale_of_times(plot, "y", min(run.samples_ms), max(run.samples_ms))
    plot.grid(visible=False, axis="x")
    if len(run.turns) > 1:
        for edge in range(len(run.turns) + 1):
            plot.axvline(edge, color=GRID, linewidth=0.6)
        plot.set_xlim(0, len(run.turns))
        plot.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    else:
        plot.set_xlim(0, places[-1])


def _height(contestants: int) -> float:
    """Inches; the same for both figures of a setting, which stand side by side."""
    return max(2.6, 0.75 + contestants)


def _places(run: Run) -> list[float]:
    """Where each sample stands: in rounds, or in seconds where there is one turn only."""
    if len(run.turns) < 2:
        return [ms / 1000 for ms in accumulate(run.samples_ms)]
    return [
        turn + (sample + 0.5) / count
        for turn, count in enumerate(run.turns)
        for sample in range(count)
    ]


def _bins(places: Sequence[float], samples: Sequence[float]) -> list[tuple[float, list[float]]]:
    """Samples that follow each other, sorted, with the middle of where they stand."""
    count = len(samples)
    edges = [count * number // BINS for number in range(BINS + 1)]
    return [
        ((places[begin] + places[end - 1]) / 2, sorted(samples[begin:end]))
        for begin, end in pairwise(edges)
    ]


def _curve(ordered: Sequence[float]) -> tuple[list[float], list[float]]:
    """Shares and the times that they took at most; from the least time to the greatest."""
    count = len(ordered)
    first = 0.5 / count
    low, high = _logit(first), _logit(1 - first)
    steps = min(CURVE_POINTS, count)
    even = [low + (high - low) * step / max(steps - 1, 1) for step in range(steps)]
    shares = [_percent(value) / 100 for value in even]
    return shares, [_quantile(ordered, (share - first) / (1 - 2 * first or 1)) for share in shares]


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Linear between the samples."""
    place = min(max(share, 0.0), 1.0) * (len(ordered) - 1)
    below = min(int(place), len(ordered) - 1)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def _logit(share: float) -> float:
    """Opens both ends of 0 to 1: 90, 99 and 99.9 % stand at like distances."""
    return math.log(share / (1 - share))


def _percent(value: float) -> float:
    """The share, in per cent, that stands at a value of `_logit`."""
    return 100 / (1 + math.exp(-value))
