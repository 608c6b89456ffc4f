"""From measurements that took turns to ratios with their spread."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Ratio:
    """A ratio of each round, in order, and over all rounds its median, least and greatest."""

    median: float
    lowest: float
    highest: float
    rounds: tuple[float, ...]

    @classmethod
    def of(cls, above: Sequence[float], below: Sequence[float]) -> Ratio:
        """The ratios of values of the same rounds."""
        rounds = tuple(a / b for a, b in zip(above, below, strict=True))
        return cls(statistics.median(rounds), min(rounds), max(rounds), rounds)


def round_medians(result: dict[str, Any]) -> list[float]:
    """The median of each turn of a benchmark's result, milliseconds."""
    medians, position = [], 0
    for count in result["turns"]:
        medians.append(statistics.median(result["samples_ms"][position : position + count]))
        position += count
    return medians
