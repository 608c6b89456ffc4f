"""How a command of this package ends: with an exit status and, if need be, one sentence."""

from __future__ import annotations

import sys
from collections.abc import Callable

from bdnet.errors import InputError


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
