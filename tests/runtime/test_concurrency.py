"""Threads and sessions, many of both, in a process that does nothing else (tests/fuzz/soak.py).

The long form is ``make soak``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from fuzz import soak
from fuzz.base_models import base_models

LOOPS = 400


def test_same_bits_and_no_leak(tmp_path: Path) -> None:
    for name, model in base_models(tmp_path).items():
        (tmp_path / f"{name}.onnx").write_bytes(model)
    done = subprocess.run(
        [sys.executable, soak.__file__, str(tmp_path), "--loops", str(LOOPS)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["sessions_created"] > LOOPS
    assert result["bytes_grown"] <= result["bytes_allowed"]
