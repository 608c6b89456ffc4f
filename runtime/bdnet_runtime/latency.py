"""From samples to the numbers people quote."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def summarise(samples_ms: Sequence[float]) -> dict[str, float]:
    """p50, p90, p99, min, mean and stdev of all samples, in milliseconds.

    Nothing is dropped: what looks like an outlier may be the device throttling. Percentiles
    interpolate linearly between samples; the deviation is of a sample (n - 1).
    """
    samples = np.asarray(samples_ms, np.float64)
    p50, p90, p99 = np.percentile(samples, [50, 90, 99])
    return {
        "p50": float(p50),
        "p90": float(p90),
        "p99": float(p99),
        "min": float(samples.min()),
        "mean": float(samples.mean()),
        "stdev": float(samples.std(ddof=1)),
    }
