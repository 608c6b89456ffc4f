"""Standard input as whoever asked for a measurement in turns writes it.

A line is the seconds of a turn; ``end`` is the last one. Where standard input ends without it,
whoever asked has gone, and this process has nothing left to do, not even the turn it is in.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from queue import SimpleQueue
from threading import Thread

from bdnet_runtime.errors import InputError
from bdnet_runtime.events import BAD_INPUT, END


def read_turns() -> Iterator[float]:
    """The seconds of each turn as they come, until ``end``.

    Ends the process at once where standard input ends before that.

    Raises:
        InputError: a line that is no turn.
    """
    lines: SimpleQueue[str] = SimpleQueue()
    # It sleeps in the kernel until there is a line, so it disturbs nothing that is measured.
    Thread(target=_pass_on, args=(lines,), daemon=True).start()
    any_turn = False
    while True:
        line = lines.get().strip()
        if line == END and any_turn:
            return
        try:
            seconds = float(line)
        except ValueError:
            seconds = math.nan
        if not (math.isfinite(seconds) and seconds > 0):
            raise InputError(f"the turn is {line!r}; expected a number of seconds above 0")
        any_turn = True
        yield seconds


def _pass_on(lines: SimpleQueue[str]) -> None:
    # Without a buffer: a thread that waits in one holds a lock, which the end of Python needs.
    with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as stream:
        for line in stream:
            text = line.decode(errors="replace")
            lines.put(text)
            if text.strip() == END:
                return
    print(
        f"standard input ended before the line {END!r}; expected lines with a number of seconds "
        f"each, and then {END!r}",
        file=sys.stderr,
        flush=True,
    )
    os._exit(BAD_INPUT)
