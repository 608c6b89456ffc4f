"""What of one value of a file has differed so far."""

from __future__ import annotations

from typing import Any

import numpy as np

from bdnet_runtime.verification import Array, differing


def relative_error(expected: Array, got: Array) -> float:
    """The largest difference over the largest finite value expected; a NaN alone is infinite."""
    return float(_errors(expected, got).max(initial=0.0))


def _errors(expected: Array, got: Array) -> Array:
    """Of each value, over the largest finite value expected."""
    finite = np.abs(expected, where=np.isfinite(expected), out=np.zeros_like(expected))
    largest = max(float(finite.max(initial=0.0)), float(np.finfo(np.float32).tiny))
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.where(differing(expected, got), np.abs(got - expected), 0.0)
    return np.asarray(np.nan_to_num(error, nan=np.inf, posinf=np.inf) / largest)


class OutputTally:
    """Compares one value of any shape, batch by batch.

    Args:
        tolerance: how large an error may be, of the largest value of a batch; None: equal.
    """

    def __init__(self, name: str, tolerance: float | None = None) -> None:
        self._name, self.tolerance = name, tolerance
        self.values = self.different = 0
        self.error = 0.0
        self.first_image: int | None = None
        self._first: str | None = None

    def add(self, begin: int, expected: Array, got: Array) -> None:
        """Of the images from ``begin`` on, [n, ...], of one shape."""
        if self.tolerance is None:
            wrong = differing(expected, got)
        else:
            errors = _errors(expected, got)
            wrong = errors > self.tolerance
            self.error = max(self.error, float(errors.max(initial=0.0)))
        self.values += expected.size
        self.different += int(wrong.sum())
        if self.first_image is None and wrong.any():
            place = tuple(int(i) for i in np.argwhere(wrong)[0])
            self.first_image = begin + place[0]
            self._first = (
                f"{self._name}: {int(wrong[place[0]].sum()):,} of {wrong[place[0]].size:,} values "
                f"differ on image {self.first_image}, first at {list(place[1:])}: "
                f"expected {float(expected[place])!r}, got {float(got[place])!r}"
            )

    def report(self) -> dict[str, Any]:
        """As `bdnet_runtime.verification.layer_report`; with a tolerance also the ``error``."""
        found: dict[str, Any] = {
            "name": self._name,
            "values": self.values,
            "different": self.different,
            "first_image": self.first_image,
            "first": self._first,
        }
        if self.tolerance is not None:
            found |= {"error": self.error, "tolerance": self.tolerance}
        return found
