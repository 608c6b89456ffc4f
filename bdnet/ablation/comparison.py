"""What a factor of the grid changes: differences within a seed, and how sure their mean is."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bdnet.ablation.grid import GRID, Cell, Run

CONFIDENCE = 0.95
"""That the intervals of all comparisons hold at once."""


@dataclass(frozen=True)
class Comparison:
    """One level of a factor against another, everything else averaged over.

    Args:
        name: "A - B".
        differences: test accuracy of A minus that of B, the mean over the rest of the grid, one for
            each seed. A seed decides the initial weights and the order of images for all its
            cells, so what a lucky seed adds to both is not in the difference.
    """

    name: str
    differences: tuple[float, ...]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.differences)

    def half_width(self, confidence: float) -> float:
        """The mean is within this of the true difference, with Student's t; infinite for one seed.

        It takes the differences for independent draws from a normal distribution.
        """
        n = len(self.differences)
        if n < 2:
            return math.inf
        return student_t(confidence, n - 1) * statistics.stdev(self.differences) / math.sqrt(n)


_LEVELS: tuple[tuple[str, Callable[[Cell], bool], Callable[[Cell], bool]], ...] = (
    ("pre-BN - none", lambda c: c.residual == "pre_bn", lambda c: c.residual == "none"),
    ("post-BN - none", lambda c: c.residual == "post_bn", lambda c: c.residual == "none"),
    ("pre-BN - post-BN", lambda c: c.residual == "pre_bn", lambda c: c.residual == "post_bn"),
    (
        "depth-wise ternary - binary",
        lambda c: c.depthwise == "ternary",
        lambda c: c.depthwise == "binary",
    ),
    (
        "point-wise ternary - binary",
        lambda c: c.pointwise == "ternary",
        lambda c: c.pointwise == "binary",
    ),
)


def confidence_each() -> float:
    """The confidence of each interval that gives all of them `CONFIDENCE` (Bonferroni)."""
    return 1 - (1 - CONFIDENCE) / len(_LEVELS)


def whole_seeds(runs: Sequence[Run]) -> list[Run]:
    """The runs of the seeds whose cells are all finished, in the order of seeds and of the grid."""
    found = {(run.seed, run.cell): run for run in runs}
    seeds = sorted({run.seed for run in runs})
    whole = [seed for seed in seeds if all((seed, cell) in found for cell in GRID)]
    return [found[seed, cell] for seed in whole for cell in GRID]


def comparisons(runs: Sequence[Run]) -> list[Comparison]:
    """All comparisons of `whole_seeds`."""
    seeds = sorted({run.seed for run in runs})

    def mean(seed: int, level: Callable[[Cell], bool]) -> float:
        return statistics.fmean(r.test_accuracy for r in runs if r.seed == seed and level(r.cell))

    return [
        Comparison(name, tuple(mean(seed, more) - mean(seed, less) for seed in seeds))
        for name, more, less in _LEVELS
    ]


def student_t(confidence: float, freedom: int) -> float:
    """The t that |T| stays below with probability ``confidence``, T with ``freedom`` degrees."""
    low, high = 0.0, 1.0
    while _within(high, freedom) < confidence:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < confidence else (low, middle)
    return high


def _within(t: float, freedom: int) -> float:
    """P(|T| <= t), the finite sums of Abramowitz and Stegun, 26.7.3 and 26.7.4."""
    angle = math.atan(t / math.sqrt(freedom))
    cosine = math.cos(angle)
    odd = freedom % 2
    term = cosine if odd else 1.0
    total = 0.0
    for power in range(odd, freedom - 1, 2):
        total += term
        term *= cosine**2 * (power + 1) / (power + 2)
    return 2 / math.pi * (angle + math.sin(angle) * total) if odd else math.sin(angle) * total
