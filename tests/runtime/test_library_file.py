"""The custom-operator library as a file: what it shows to the process that loads it."""

from __future__ import annotations

import re
import shutil
import subprocess

import bdnet_runtime
from support.tools import unavailable


def _run(*command: str) -> str:
    if shutil.which(command[0]) is None:
        unavailable(f"{command[0]} is not installed (Debian: binutils)")
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_it_exports_nothing_but_the_registration() -> None:
    # The C++ library is linked in; were its symbols to show, another copy in the process, such as
    # PyTorch's, would bind to them.
    symbols = _run("nm", "-D", "--defined-only", bdnet_runtime.get_library_path())
    assert [line.split()[-1] for line in symbols.splitlines()] == ["RegisterCustomOps"]


def test_it_needs_only_the_c_library() -> None:
    dynamic = _run("readelf", "-d", bdnet_runtime.get_library_path())
    needed = re.findall(r"\(NEEDED\).*\[(.+)\]", dynamic)
    assert needed, dynamic
    allowed = re.compile(r"(libc|libm|libpthread|ld-linux.*)\.so\.\d+")
    assert [name for name in needed if not allowed.fullmatch(name)] == []
