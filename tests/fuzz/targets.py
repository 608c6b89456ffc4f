"""The fuzz targets as built by the preset ``fuzz``, and their inputs as kept: a line each, base64.

Only the standard library: ``run.py`` and the tests share this.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = ROOT / ".cache" / "fuzz"
CORPUS = HERE / "corpus"
FINDINGS = HERE / "findings"

# Inputs are mostly made of small numbers, one byte each; what a tensor holds comes from a seed.
LONGEST_INPUT = 160

# AddressSanitizer's for speed: a short memory of what was freed, and of who did it.
ENVIRONMENT = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=0:malloc_context_size=3:quarantine_size_mb=4",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


def names() -> list[str]:
    """Every target, as the CMake file has them."""
    text = (HERE / "CMakeLists.txt").read_text()
    (operators,) = re.findall(r"foreach\(operator\s+([\w\s]+)\)", text)
    return [*operators.split(), *re.findall(r"^add_fuzz_target\((\w+) ", text, re.MULTILINE)]


def program(name: str) -> Path:
    """The program of a target."""
    return BUILD / "tests" / "fuzz" / f"bdnet_fuzz_{name}"


def run(name: str, *arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a target in ``folder``, where libFuzzer leaves what it finds."""
    return subprocess.run(
        [str(program(name)), f"-max_len={LONGEST_INPUT}", *map(str, arguments)],
        cwd=folder,
        env=os.environ | ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )


def read_inputs(path: Path) -> list[bytes]:
    """The inputs of a file; a line that begins with ``#`` says something about the next."""
    if not path.is_file():
        return []
    lines = path.read_text().splitlines()
    return [base64.b64decode(line) for line in lines if line and not line.startswith("#")]


def write_inputs(path: Path, inputs: list[bytes]) -> None:
    """Writes inputs, the shortest first, so that a new one changes a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ordered = sorted(set(inputs), key=lambda data: (len(data), data))
    path.write_text("".join(base64.b64encode(data).decode() + "\n" for data in ordered if data))


def unpack(inputs: list[bytes], folder: Path) -> None:
    """Writes each input to a file of its own, as libFuzzer wants them."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, data in enumerate(inputs):
        (folder / f"{index:05}").write_bytes(data)
