"""A command in a terminal of its own, at whose keyboard a test sits."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

CTRL_C = b"\x03"
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """Runs ``command``; at the end of the context it has ended.

    Ctrl-C is the terminal's: it reaches every process that a user's Ctrl-C would reach.
    """

    def __init__(self, command: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
        self._keyboard, slave = pty.openpty()
        self._process = subprocess.Popen(
            ["setsid", "--ctty", *command],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=folder,
            env={**environment, "TERM": "xterm", "COLUMNS": "200"},
        )
        os.close(slave)
        self._shown = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def text(self) -> str:
        """All that was shown so far."""
        return _CONTROL.sub("", self._shown.decode(errors="replace")).replace("\r", "\n")

    def wait_for(self, what: str, happened: Callable[[], bool], seconds: float = 120) -> None:
        """Fails where the command ends, or so many seconds pass, before ``happened`` says yes."""
        deadline = time.monotonic() + seconds
        while not happened():
            assert self._process.poll() is None, f"it ended before {what}: {self.text}"
            assert time.monotonic() < deadline, f"{what} did not happen: {self.text}"
            time.sleep(0.02)

    def wait_for_text(self, text: str) -> None:
        self.wait_for(repr(text), lambda: text in self.text)

    def type(self, keys: bytes) -> None:
        os.write(self._keyboard, keys)

    def end(self, seconds: float = 30) -> tuple[int, str]:
        """The exit status, and the last line that was shown."""
        status = self._process.wait(seconds)
        self._reader.join(seconds)
        return status, [line for line in self.text.splitlines() if line.strip()][-1]

    def _read(self) -> None:
        # It fails when the last process that has the terminal has ended.
        while True:
            try:
                self._shown += os.read(self._keyboard, 65536)
            except OSError:
                return

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._keyboard)
