"""What the networks' arguments have in common: channels by width, and what they may be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from bdnet.errors import InputError
from bdnet.layers import BinaryConv2d, FloatConv2d, SignConv2d, TernaryConv2d

Weights = Literal["binary", "ternary", "float"]

_CONVOLUTIONS: dict[str, type[SignConv2d]] = {
    "binary": BinaryConv2d,
    "ternary": TernaryConv2d,
    "float": FloatConv2d,
}


def convolution(argument: str, weights: str) -> type[SignConv2d]:
    """The layer with such weights; ``argument`` is who asks, for the message."""
    try:
        return _CONVOLUTIONS[weights]
    except KeyError:
        raise InputError(
            f"{argument} is {weights!r}; it must be 'binary', 'ternary' or 'float'"
        ) from None


def scaled(channels: int, width: float) -> int:
    """``channels`` times ``width``, in multiples of 8."""
    return max(8, round(channels * width / 8) * 8)


def require_positive(**values: float) -> None:
    """Refuses arguments that are not positive and finite."""
    if not all(0 < value < math.inf for value in values.values()):
        *names, last = (f"{name} {value}" for name, value in values.items())
        raise InputError(f"{', '.join(names)} and {last} must all be positive")


def integers(
    argument: str, given: Sequence[int] | None, default: Sequence[int], of: str
) -> list[int]:
    """``given``, or ``default`` where it is None: as many positive integers as ``default`` has.

    Args:
        of: what has one of them each, such as "block".
    """
    values = list(default if given is None else given)
    if len(values) != len(default) or any(value < 1 for value in values):
        raise InputError(
            f"{argument} is {values}; it must be {len(default)} positive integers, one a {of}"
        )
    return values
