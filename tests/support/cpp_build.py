"""The C++ of the project, built for this machine or another, and its objects looked into."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from support.alone import alone_in
from support.tools import unavailable

ROOT = Path(__file__).parents[2]

# In the words of benchmarks/CMakeLists.txt.
NO_BENCHMARK = "Google Benchmark is not installed (Debian: libbenchmark-dev)"


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def require(tool: str, package: str) -> None:
    """Ends the test (see ``unavailable``) if ``tool`` is not on the PATH."""
    if shutil.which(tool) is None:
        unavailable(f"{tool} is not installed (Debian: {package})")


def build(folder: Path, target: str, *options: str) -> None:
    """Configures the project with ``options`` in ``folder`` and builds ``target``.

    The folder is kept from run to run, so that only what changed is compiled again.
    """
    require("cmake", "cmake")
    with alone_in(folder):
        configured = run("cmake", "-S", ROOT, "-B", folder, *options)
        output = configured.stdout + configured.stderr
        for error, reason in (
            ("Could NOT find GTest", "GoogleTest is not installed (Debian: libgtest-dev)"),
            (NO_BENCHMARK, NO_BENCHMARK),
        ):
            if configured.returncode != 0 and error in output:
                unavailable(reason)
        assert configured.returncode == 0, output

        jobs = str(min(os.cpu_count() or 1, 4))
        built = run("cmake", "--build", folder, "--target", target, "-j", jobs)
        assert built.returncode == 0, built.stdout + built.stderr


def inspect(library: Path, tool: str, *arguments: str) -> dict[str, str]:
    """What a tool of binutils prints for each object of a static library."""
    require(tool, "binutils")
    printed = run(tool, *arguments, library)
    assert printed.returncode == 0, printed.stderr
    parts = re.split(r"^(\S+\.o):.*$", printed.stdout, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))
