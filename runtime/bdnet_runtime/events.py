"""How a process of ours and whoever started it talk: JSON lines out, lines of words in."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

from bdnet_runtime.errors import InputError

BAD_INPUT = 2  # exit status
END = "end"  # the line on standard input that asks for the result
PROGRESS_INTERVAL = 0.25  # seconds; seldom enough not to disturb what is measured

Progress = Callable[[str, float], None]
"""Called with the stage and the fraction of it that is done, 0 to 1."""


def write_event(event: dict[str, Any]) -> None:
    print(json.dumps(event), flush=True)


class ProgressWriter:
    """Writes progress events: every new stage, and within one a few a second."""

    def __init__(self) -> None:
        self.stage = ""
        self.written = 0.0

    def __call__(self, stage: str, fraction: float) -> None:
        now = time.perf_counter()
        if stage == self.stage and now - self.written < PROGRESS_INTERVAL:
            return
        self.stage, self.written = stage, now
        write_event({"event": "progress", "stage": stage, "fraction": fraction})


class Parser(argparse.ArgumentParser):
    """One sentence for what it does not understand."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see '{self.prog} --help'")


def run_main(body: Callable[[], None]) -> int:
    """The exit status of ``body``: 0, or 2 with one sentence on standard error."""
    try:
        body()
    except InputError as error:
        print(error, file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever asked has gone; point stdout elsewhere so that closing it does not fail as well.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return 0
