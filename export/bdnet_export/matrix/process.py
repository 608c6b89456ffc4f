"""The process of one cell: a command of bdnet-export, in a session of its own.

Ctrl-C at the terminal does not reach it and its crash reaches nobody. It ends as by Ctrl-C, with
all its clean-up, when its standard input does: when it is asked to, and when whoever started it is
gone, however that went.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Timer

GRACE_SECONDS = 10.0  # to clean up; then it is killed
GROUP_SECONDS = 5.0  # for what it started, which ends with it
PREFIX = "bdnet-export: "

# Not with -m, which would search the working folder first, where a user's onnx.py may lie.
SCRIPT = (
    "import sys; sys.path[:] = filter(None, sys.path); "
    "from bdnet_export.cli.cell import main; sys.exit(main())"
)


class CellProcess:
    """Starts ``bdnet-export`` with ``arguments``."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._timers: list[Timer] = []
        self._process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )

    def wait(self, limit: float, tell: Callable[[str], None]) -> tuple[int, str]:
        """Waits until it has ended, and all that it started.

        Args:
            limit: seconds; after them it is stopped.
            tell: called with each stage that it begins.

        Returns:
            Its status, and why it failed if it did, in one sentence.
        """
        began, last = time.monotonic(), ""
        self._later(limit, self.stop)
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in filter(None, map(str.strip, lines)):
                last = line
                if not line.startswith(PREFIX):
                    tell(line)
        status = self._process.wait()
        for timer in self._timers:
            timer.cancel()
        self._end_group()
        self._end_input()
        if time.monotonic() - began >= limit:
            return status, f"it took longer than the {limit:g} s of time_limit and was ended"
        return status, _sentence(status, last)

    def stop(self) -> None:
        """Asks it to end, which it does within seconds. Returns at once."""
        self._end_input()
        self._later(GRACE_SECONDS, self._kill)

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        timer = Timer(seconds, call)
        timer.daemon = True
        self._timers.append(timer)
        timer.start()

    def _end_input(self) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()

    def _kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
            self._end_group()

    def _end_group(self) -> None:
        """What it started sees that it is gone, and for instance restores a governor first."""
        deadline = time.monotonic() + GROUP_SECONDS
        with suppress(ProcessLookupError):
            while time.monotonic() < deadline:
                os.killpg(self._process.pid, 0)
                time.sleep(0.05)
            os.killpg(self._process.pid, signal.SIGKILL)


def _sentence(status: int, last: str) -> str:
    if last.startswith(PREFIX):
        return last.removeprefix(PREFIX)
    how = f"ended with status {status}"
    if -status in {*signal.Signals}:
        how = f"was ended by {signal.Signals(-status).name}"
    return f"its process {how}; the last that it said: {last or 'nothing'}"
