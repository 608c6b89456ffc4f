"""Figures of matplotlib as SVG that stands in a page: its colours are the page's, and so is its
font; the same data gives the same bytes.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

WIDTH = 5.2  # inches: a phone shows it at nearly this size, a desk has two of them side by side
MIN_TICKS = 3

# Drawn in these colours, which nothing else has, and then replaced by variables of the page, so
# that it can be dark as well.
INK, MUTED, GRID, ALERT, PAPER = "#010101", "#010102", "#010103", "#010104", "#010105"
SERIES = tuple(f"#0102{number:02x}" for number in range(8))
_VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    ALERT: "var(--alert)",
    PAPER: "var(--paper)",
    **{colour: f"var(--series-{number})" for number, colour in enumerate(SERIES)},
}

_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",  # text stays text: small, and it can be searched and read aloud
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
}


def series_colour(number: int) -> str:
    return SERIES[number % len(SERIES)]


@contextmanager
def drawing(height: float) -> Iterator[Figure]:
    """A figure of the page's width to draw on, ``height`` inches high."""
    # The user's own matplotlibrc does not change a report.
    with style.context(["default", _STYLE]):
        figure = Figure(figsize=(WIDTH, height), layout="constrained", facecolor="none")
        FigureCanvasSVG(figure)
        yield figure


def axes(figure: Figure, rows: int = 1) -> list[Axes]:
    """Axes below each other that share their x, without a background."""
    made = figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0].tolist()
    for each in made:
        each.set_facecolor("none")
        each.tick_params(length=0)
    return list(made)


def svg(figure: Figure, name: str, label: str) -> str:
    """The figure as an ``<svg>`` element.

    Args:
        name: of letters, digits and hyphens; no other figure of the page has it.
        label: what a screen reader says of it.
    """
    text = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    drawn = text.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", drawn)
    drawn = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", drawn, count=1)
    drawn = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", drawn, count=1)
    drawn = re.sub("|".join(_VARIABLES), lambda found: _VARIABLES[found.group()], drawn)
    return drawn.replace("<svg", f'<svg role="img" aria-label="{_attribute(label)}"', 1)


def _attribute(text: str) -> str:
    for character, entity in (("&", "&amp;"), ('"', "&quot;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, entity)
    return text


def scale_of_times(subject: Axes, axis: str, lowest: float, highest: float) -> None:
    """The scale of times on ``axis``, "x" or "y": logarithmic where they differ by more than 2.

    All of them stay in the picture, however long the longest is.
    """
    logarithmic = highest > 2 * lowest
    if logarithmic:
        margin = (highest / lowest) ** 0.06
        limits = lowest / margin, highest * margin
    else:
        margin = 0.08 * (highest - lowest) or 0.05 * highest
        limits = lowest - margin, highest + margin
    subject.set(**{f"{axis}scale": "log" if logarithmic else "linear", f"{axis}lim": limits})
    chosen = subject.xaxis if axis == "x" else subject.yaxis
    chosen.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if logarithmic:
        chosen.set_major_locator(FixedLocator(_round_numbers(*limits)))
        chosen.set_minor_locator(NullLocator())


def _round_numbers(lowest: float, highest: float) -> list[float]:
    """Powers of ten between the two; where they are few, numbers between them as well."""
    decades = range(math.floor(math.log10(lowest)), math.ceil(math.log10(highest)) + 1)
    found: list[float] = []
    for digits in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7)):
        numbers = [float(f"{digit}e{decade}") for decade in decades for digit in digits]
        found = [number for number in numbers if lowest <= number <= highest]
        if len(found) >= MIN_TICKS:
            break
    return found
