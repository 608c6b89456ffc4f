"""Reads the machine's conditions while something else is measured: ``python -m
bdnet_runtime.monitor``.

Sets the governor that is asked for, writes ``{"event": "ready"}`` and takes a reading every few
seconds, until standard input says ``end``: then it writes ``{"event": "result", "schema": 1, ...}``
with

- ``before``, ``after``: readings (`bdnet_runtime.conditions.read_conditions`); ``during``: a list
  of them; ``interval``: seconds between them
- ``throttled``: what limited the clock meanwhile, in words; an empty list: nothing did
- ``governor_set``: what it was set to, or null
- ``clock``: whether it was set meanwhile (`bdnet_runtime.clock.Clock.jump`)

The governor is what it was before however this ends: with ``end``, with standard input (whoever
asked has gone), by SIGTERM, SIGHUP or SIGINT.

Exit status: 0, or 2 with one sentence on standard error.
"""

from __future__ import annotations

import math
import select
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from bdnet_runtime.clock import Clock
from bdnet_runtime.conditions import Reading, read_conditions, throttled
from bdnet_runtime.errors import InputError
from bdnet_runtime.events import END, Parser, run_main, write_event
from bdnet_runtime.governor import governor
from bdnet_runtime.module_command import module_command

SCHEMA = 1
MOST_READINGS = 10_000


@dataclass(frozen=True)
class WatchOptions:
    """What to set and how often to read, seconds. Raises `InputError` for a value out of range."""

    governor: str | None = None
    interval: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.interval) and self.interval > 0):
            raise InputError(f"interval is {self.interval}; expected a number of seconds above 0")

    def command(self, python: str | Sequence[str]) -> list[str]:
        """The command that watches so, wherever ``python`` has bdnet_runtime."""
        return [
            *module_command(python, "monitor"),
            *("--interval", str(self.interval)),
            *(() if self.governor is None else ("--governor", self.governor)),
        ]


def monitor(options: WatchOptions, root: Path = Path("/")) -> None:
    """Watches until standard input says so; the module says what is written.

    Args:
        root: where ``sys`` is.

    Raises:
        InputError: the governor cannot be set, or standard input ended without ``end``.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    before = read_conditions(root)
    clock = Clock()
    with governor(options.governor, root):
        write_event({"event": "ready"})
        during: list[Reading] = []
        while not _ended(options.interval):
            if len(during) < MOST_READINGS:
                during.append(read_conditions(root))
        after = read_conditions(root)
    write_event(
        {
            "event": "result",
            "schema": SCHEMA,
            "before": before,
            "during": during,
            "after": after,
            "interval": options.interval,
            "throttled": throttled([before, *during, after]),
            "governor_set": options.governor,
            "clock": clock.jump(),
        }
    )


def _ended(seconds: float) -> bool:
    """Whether standard input said ``end`` within so many seconds."""
    readable, _, _ = select.select([sys.stdin], [], [], seconds)
    if not readable:
        return False
    line = sys.stdin.readline()
    if line.strip() == END:
        return True
    raise InputError(f"standard input ended or said {line.strip()!r}; expected the line {END!r}")


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _parse(arguments: Sequence[str] | None) -> WatchOptions:
    parser = Parser(
        prog="python -m bdnet_runtime.monitor",
        description="Reads temperature, clock and throttling until standard input says 'end'.",
        allow_abbrev=False,
    )
    parser.add_argument("--governor", metavar="NAME", help="set it meanwhile")
    interval = WatchOptions.interval
    parser.add_argument("--interval", type=float, default=interval, help="seconds (%(default)s)")
    given = parser.parse_args(arguments)
    return WatchOptions(given.governor, given.interval)


def main(arguments: Sequence[str] | None = None) -> int:
    return run_main(lambda: monitor(_parse(arguments)))


if __name__ == "__main__":
    sys.exit(main())
