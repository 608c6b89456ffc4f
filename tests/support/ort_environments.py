"""Other versions of ONNX Runtime, each in a folder of its own, to run models in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import onnxruntime

from support.alone import alone_in
from support.tools import unavailable

WORKER = Path(__file__).with_name("ort_worker.py")
CACHE = Path(__file__).parents[2] / ".cache" / "onnxruntime"


def installed_version() -> str:
    """The ONNX Runtime of this environment, the newest that is tested."""
    return str(onnxruntime.__version__)


def environment(version: str) -> dict[str, str]:
    """Environment variables under which ``sys.executable`` imports ONNX Runtime ``version``.

    The package is installed, without its dependencies, into a folder that stands before
    site-packages; numpy is this environment's own.
    """
    variables = dict(os.environ)
    if version == installed_version():
        return variables
    folder = CACHE / version
    with alone_in(folder):
        if not folder.is_dir():
            # Complete or not there: a run that was cut short must not leave half a package.
            part = tempfile.mkdtemp(prefix=f"{version}.part-", dir=CACHE)
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
            command += ["--target", part, f"onnxruntime=={version}"]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                lines = done.stderr.strip().splitlines() or ["pip said nothing"]
                unavailable(f"onnxruntime {version} could not be installed: {lines[-1]}")
            Path(part).rename(folder)
    variables["PYTHONPATH"] = os.pathsep.join(
        part for part in (str(folder), variables.get("PYTHONPATH")) if part
    )
    return variables


def run_jobs(version: str, jobs: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """Runs every job in one process under ONNX Runtime ``version`` (see ort_worker.py)."""
    job_file = folder / f"jobs-{version}.json"
    job_file.write_text(json.dumps(jobs))
    done = subprocess.run(
        [sys.executable, str(WORKER), str(job_file)],
        env=environment(version),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, f"ONNX Runtime {version}: {done.stderr[-2000:]}"
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert answer["version"] == version
    results: list[dict[str, Any]] = answer["results"]
    return results
