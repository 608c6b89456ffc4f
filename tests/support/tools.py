"""A tool a test needs: without it the test is skipped here, and fails in CI."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def unavailable(reason: str) -> NoReturn:
    """Skips the test with ``reason``; where CI is set, a missing tool is an error."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason}; in CI this is an error")
    pytest.skip(reason)
