"""Builds the C++ tests and runs them: packing, geometry and every table of kernels.

Then looks into the objects for instructions in places where any processor comes by.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support.tools import unavailable

ROOT = Path(__file__).parent.parent
# Kept from run to run, so that only what changed is compiled again.
BUILD = ROOT / ".cache" / "cpp-tests"


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def built() -> None:
    """The C++ tests, built into BUILD."""
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


def test_cpp(built: None) -> None:
    tested = run("ctest", "--test-dir", BUILD, "--output-on-failure", "--no-tests=error")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    print(tested.stdout)


def inspect(tool: str, *arguments: str) -> dict[str, str]:
    """What a tool of binutils prints for each object of the kernels' library."""
    if shutil.which(tool) is None:
        unavailable(f"{tool} is not installed (Debian: binutils)")
    printed = run(tool, *arguments, BUILD / "runtime" / "libbdnet_kernels.a")
    assert printed.returncode == 0, printed.stderr
    parts = re.split(r"^(\S+\.o):.*$", printed.stdout, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def vector_objects(objects: dict[str, str]) -> dict[str, str]:
    """Those of the files that are compiled for more than any x86-64 processor has."""
    found = {name: text for name, text in objects.items() if re.match("avx(2|512)_", name)}
    if not found:
        pytest.skip(f"the compiler does not target x86-64 but {platform.machine()}")
    return found


def test_only_the_files_of_an_instruction_set_have_its_instructions(built: None) -> None:
    objects = inspect("objdump", "--disassemble", "--no-show-raw-insn")
    vectors = vector_objects(objects)
    # %zmm and %k are AVX-512's; %ymm is AVX's, and AVX-512's too.
    wide = {name for name, text in objects.items() if re.search("%ymm|%zmm|%k[0-7]", text)}
    assert wide == vectors.keys()
    widest = {name for name, text in objects.items() if re.search("%zmm|%k[0-7]", text)}
    assert widest == {name for name in vectors if name.startswith("avx512_")}


def test_the_files_of_an_instruction_set_share_no_function_with_others(built: None) -> None:
    """A weak one could take the place of the same function in a file for any processor."""
    for name, text in vector_objects(inspect("nm", "--demangle", "--defined-only")).items():
        weak = re.findall(r"^[0-9a-f]+ [VvWwu] (.*)$", text, re.MULTILINE)
        # A pointer of the C++ library's own, no code.
        assert set(weak) <= {"DW.ref.__gxx_personality_v0"}, name
