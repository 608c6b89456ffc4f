"""What the commands of this package share: lists with commas, and how a command ends."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TypeVar

from bdnet.errors import InputError

_Number = TypeVar("_Number", int, float)


def comma_list(
    number: Callable[[str], _Number], example: str
) -> Callable[[str], tuple[_Number, ...]]:
    """The ``type`` of an option whose value is numbers with commas, such as ``example``."""

    def parse(text: str) -> tuple[_Number, ...]:
        try:
            return tuple(number(part) for part in text.split(","))
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"{text!r} is no list of numbers with commas, such as {example}"
            ) from None

    return parse


def exit_status(body: Callable[[], None], interrupted: str) -> int:
    """Runs ``body``: 0, 2 for input that cannot be used, 130 after Ctrl-C.

    Args:
        interrupted: what is said on standard error after Ctrl-C, with what to do next.
    """
    try:
        body()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return 130
    return 0
