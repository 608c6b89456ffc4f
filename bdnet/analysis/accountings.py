"""The OPs of MobileNet V1 under several accountings: ``python -m bdnet.analysis.accountings``.

Kim et al. (BD-Net, 2026) print 33 M for ImageNet, by OPs = FLOPs + binary OPs / 64. What else they
count is not known to us; this shows what comes of what.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from bdnet.count import OpCount, Row, count_ops
from bdnet.models import BDMobileNetV1
from bdnet.models.arguments import Weights

PUBLISHED = 33e6
INPUT_SHAPE = (3, 224, 224)


@dataclass(frozen=True)
class Accounting:
    """One way to count.

    Args:
        name: what it counts.
        depthwise, pointwise: weights of the network; a ternary convolution counts twice.
        counted: elementwise operations that count as FLOPs, by their row in `bdnet.count_ops`.
    """

    name: str
    depthwise: Weights
    pointwise: Weights
    counted: Callable[[Row], bool] = lambda row: False

    def ops(self) -> float:
        """Of `bdnet.BDMobileNetV1` at full width, with 1000 classes."""
        count = _count(self.depthwise, self.pointwise)
        return count.ops + sum(row.elementwise for row in count.rows if self.counted(row))


@cache
def _count(depthwise: Weights, pointwise: Weights) -> OpCount:
    return count_ops(BDMobileNetV1(depthwise=depthwise, pointwise=pointwise), INPUT_SHAPE)


def _addition(row: Row) -> bool:
    return row.kind == "addition"


def _depthwise_addition(row: Row) -> bool:
    return _addition(row) and "depthwise" in row.name


def _pooling(row: Row) -> bool:
    return row.kind == "pooling"


ACCOUNTINGS = (
    Accounting("binary weights everywhere", "binary", "binary"),
    Accounting("1.58-bit depth-wise (`bdnet.count_ops`)", "ternary", "binary"),
    Accounting("... and every residual addition", "ternary", "binary", _addition),
    Accounting(
        "... and average pools", "ternary", "binary", lambda row: _addition(row) or _pooling(row)
    ),
    Accounting("1.58-bit everywhere", "ternary", "ternary"),
    Accounting(
        "... and the residual additions of depth-wise units",
        "ternary",
        "ternary",
        _depthwise_addition,
    ),
    Accounting(
        "... and average pools",
        "ternary",
        "ternary",
        lambda row: _depthwise_addition(row) or _pooling(row),
    ),
    Accounting("1.58-bit everywhere, every residual addition", "ternary", "ternary", _addition),
    Accounting(
        "... and average pools",
        "ternary",
        "ternary",
        lambda row: _addition(row) or _pooling(row),
    ),
)


def table() -> str:
    """The accountings in Markdown."""
    lines = ["| counted | OPs, M | beside the 33 M printed |", "|---|---|---|"]
    for accounting in ACCOUNTINGS:
        ops = accounting.ops()
        lines.append(f"| {accounting.name} | {ops / 1e6:.1f} | {(ops - PUBLISHED) / 1e6:+.1f} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit status, 0."""
    argparse.ArgumentParser(
        prog="python -m bdnet.analysis.accountings",
        description="Print MobileNet V1's OPs at 224 x 224 under several accountings.",
    ).parse_args(arguments)
    print(table(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
