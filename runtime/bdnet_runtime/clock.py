"""Was the clock set while something was measured?"""

from __future__ import annotations

import time
from typing import Any

JUMP_MS, JUMP_SHARE = 50.0, 1e-3


class Clock:
    """Compares the wall clock with the monotonic one, from when it is made."""

    def __init__(self) -> None:
        self._wall, self._monotonic = time.time(), time.monotonic()

    def jump(self) -> dict[str, Any]:
        """How the wall clock went since then.

        Returns:
            ``jump_ms``, by which it went beyond or, negative, behind the monotonic one;
            ``jumped``: whether that is more than 50 ms and a thousandth of the time.
        """
        passed_ms = (time.monotonic() - self._monotonic) * 1000
        jump_ms = (time.time() - self._wall) * 1000 - passed_ms
        return {"jump_ms": jump_ms, "jumped": abs(jump_ms) > JUMP_MS + JUMP_SHARE * passed_ms}
