"""Temperature and frequency of a device over a run."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from bdnet_devices.report.conditions import Reading
from bdnet_devices.report.figures import ALERT, axes, drawing, series_colour, svg
from bdnet_devices.report.results import Result

MAX_LABELLED = 4


def conditions(result: Result, name: str) -> str | None:
    """None where the device told neither. Where it said that it throttled, the time is shaded."""
    readings = result.conditions.readings
    panels = [
        (title, values)
        for title, values in (
            ("temperature, °C", [reading.temperatures_c for reading in readings]),
            ("frequency, MHz", [reading.frequencies_mhz for reading in readings]),
        )
        if any(values)
    ]
    if len(readings) < 2 or not panels:
        return None
    seconds = [reading.seconds - readings[0].seconds for reading in readings]
    with drawing(0.7 + 1.2 * len(panels)) as figure:
        plots = axes(figure, len(panels))
        for plot, (title, values) in zip(plots, panels, strict=True):
            _shade_throttling(plot, seconds, readings)
            _draw_lines(plot, seconds, values)
            plot.set_title(title, pad=3)
            plot.margins(x=0.01, y=0.15)
            plot.ticklabel_format(axis="y", useOffset=False)
        plots[-1].set_xlabel("s since the first reading")
        return svg(figure, name, f"Temperature and frequency of {result.device} over the run")


def _draw_lines(plot: Axes, seconds: Sequence[float], values: Sequence[dict[str, float]]) -> None:
    """A line for each zone or core; those that go together are one line with several names."""
    names = list(dict.fromkeys(name for reading in values for name in reading))
    lines: dict[tuple[float | None, ...], list[str]] = {}
    for name in names:
        lines.setdefault(tuple(reading.get(name) for reading in values), []).append(name)
    for number, (line, together) in enumerate(lines.items()):
        told = [(x, y) for x, y in zip(seconds, line, strict=True) if y is not None]
        label = together[0] if len(together) == 1 else f"{together[0]} … {together[-1]}"
        plot.plot(
            *zip(*told, strict=True),
            color=series_colour(number),
            label=label,
            drawstyle="default",
            marker="o" if len(told) < 40 else "",
            markersize=2.5,
            linewidth=1.3,
        )
    if len(lines) <= MAX_LABELLED:
        plot.legend(loc="upper left", bbox_to_anchor=(1.0, 1.1), handlelength=1, fontsize=8)


def _shade_throttling(plot: Axes, seconds: Sequence[float], readings: Sequence[Reading]) -> None:
    for place, reading in enumerate(readings):
        if reading.throttling:
            begin = seconds[max(place - 1, 0)]
            plot.axvspan(begin, seconds[place], color=ALERT, alpha=0.18, linewidth=0)
