"""Keeping what PyTorch writes while it traces from the user's terminal."""

from __future__ import annotations

import io
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import TextIO


class _WithoutThisThread(io.TextIOBase):
    """Standard error for all threads but this one: torch.export prints the graph it failed in.

    Another thread's progress goes on.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._thread = threading.get_ident()

    def write(self, text: str) -> int:
        return len(text) if threading.get_ident() == self._thread else self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps PyTorch's remarks, and the graphs it logs before it fails, from the user's terminal."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings(), redirect_stderr(_WithoutThisThread(sys.stderr)):
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logging.disable(disabled)
