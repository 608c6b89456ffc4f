"""Builds the C++ tests and runs them: packing, geometry and the reference kernels."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from support.tools import unavailable

ROOT = Path(__file__).parent.parent
# Kept from run to run, so that only what changed is compiled again.
BUILD = ROOT / ".cache" / "cpp-tests"


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_cpp() -> None:
    for tool in ("cmake", "ctest", "c++"):
        if shutil.which(tool) is None:
            unavailable(f"{tool} is not installed")

    configured = run("cmake", "-S", ROOT, "-B", BUILD, "-DBDNET_BUILD_TESTS=ON")
    output = configured.stdout + configured.stderr
    if configured.returncode != 0 and "GTest" in output:
        unavailable("GoogleTest is not installed (Debian: libgtest-dev)")
    assert configured.returncode == 0, output

    jobs = str(min(os.cpu_count() or 1, 4))
    built = run("cmake", "--build", BUILD, "--target", "bdnet_cpp_tests", "-j", jobs)
    assert built.returncode == 0, built.stdout + built.stderr

    tested = run("ctest", "--test-dir", BUILD, "--output-on-failure", "--no-tests=error")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    print(tested.stdout)
