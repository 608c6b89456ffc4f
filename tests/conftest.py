"""What all tests need of their process, and how several processes share a machine."""

from __future__ import annotations

import os
import signal

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # One worker a processor: more threads would wait for each other, spinning.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So a shell starts what runs in its background, and what that starts would ignore it, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)

LONGEST = ("test_board_end_to_end.py", "test_cpp.py")
"""Files that take minutes: begun first, so that no process ends alone with one of them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONGEST)
