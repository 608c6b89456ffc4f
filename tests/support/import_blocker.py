"""A Python in which some packages are not installed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable

_BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocker())
"""


def run_without(
    packages: Iterable[str], code: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Runs ``code`` in a fresh Python where importing one of ``packages`` fails."""
    return subprocess.run(
        [sys.executable, "-c", _BLOCKER.format(names=set(packages)) + code, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
