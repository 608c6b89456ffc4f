"""How many times as long as the model each peer takes, over all results."""

from __future__ import annotations

from collections.abc import Sequence

from bdnet_devices.report.figures import INK, MUTED, PAPER, axes, drawing, scale_of_times, svg
from bdnet_devices.report.latency_figures import colours, setting_words
from bdnet_devices.report.results import MODEL, Result, Run, Spread

ROW = 0.24  # inches


def ratios(results: Sequence[Result], name: str) -> str | None:
    """Dots with ranges; the small ones are single rounds. None where there is nothing to draw."""
    groups = [(result, peers) for result in results if (peers := _peers(result))]
    if not groups:
        return None
    rows = sum(len(peers) + 1 for _, peers in groups)
    with drawing(0.6 + ROW * rows) as figure:
        (plot,) = axes(figure)
        labels: list[str] = []
        for result, peers in groups:
            place = len(labels)
            title = f"{result.model_name} on {result.device}"
            if result.conditions.throttled:
                title += " (throttled)"
            labels.append("")
            plot.annotate(
                title,
                (0, place),
                xycoords=("figure fraction", "data"),
                verticalalignment="center",
                weight="bold",
                bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1.5},
                in_layout=False,
            )
            for run, ratio in peers:
                place = len(labels)
                labels.append(f"{result.name_of(run)}, {setting_words(run.threads, run.batch)}")
                colour = colours(result)[run.name]
                plot.plot([ratio.lowest, ratio.highest], [place] * 2, color=colour, linewidth=2)
                plot.plot(ratio.rounds, [place] * len(ratio.rounds), "|", color=colour, alpha=0.6)
                plot.plot(ratio.median, place, "o", color=colour, markersize=6)
                plot.annotate(
                    f"{ratio.median:.2f}",
                    (1, place),
                    xycoords=("axes fraction", "data"),
                    xytext=(4, 0),
                    textcoords="offset points",
                    verticalalignment="center",
                )
        drawn = [ratio for _, peers in groups for _, ratio in peers]
        lowest = min(1.0, *(ratio.lowest for ratio in drawn))
        highest = max(1.0, *(ratio.highest for ratio in drawn))
        scale_of_times(plot, "x", lowest, highest)
        plot.axvline(1, color=INK, linewidth=0.8)
        plot.set_yticks(range(len(labels)), labels)
        plot.set_ylim(len(labels) - 0.4, -0.6)
        plot.grid(visible=False, axis="y")
        plot.set_xlabel("time / the model’s; to the right of 1 the model is faster", color=MUTED)
        return svg(figure, name, "Ratios of the peers' times to the model's")


def _peers(result: Result) -> list[tuple[Run, Spread]]:
    if result.emulated:
        return []
    return [(run, run.ratio) for run in result.runs if run.name != MODEL and run.ratio is not None]
