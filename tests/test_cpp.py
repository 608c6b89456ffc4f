"""Builds the C++ tests and runs them: packing, geometry and every table of kernels.

Then looks into the objects for instructions in places where any processor comes by.
"""

from __future__ import annotations

import platform
import re

import pytest

from support.cpp_build import ROOT, build, inspect, require, run

BUILD = ROOT / ".cache" / "cpp-tests"
KERNELS = BUILD / "runtime" / "libbdnet_kernels.a"


@pytest.fixture(scope="module")
def built() -> None:
    """The C++ tests, built into BUILD."""
    require("c++", "g++")
    build(BUILD, "bdnet_cpp_tests", "-DBDNET_BUILD_TESTS=ON")


def test_cpp(built: None) -> None:
    tested = run("ctest", "--test-dir", BUILD, "--output-on-failure", "--no-tests=error")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    print(tested.stdout)


def avx2_objects(objects: dict[str, str]) -> dict[str, str]:
    found = {name: text for name, text in objects.items() if name.startswith("avx2_")}
    if not found:
        pytest.skip(f"the compiler does not target x86-64 but {platform.machine()}")
    return found


def test_only_the_avx2_files_have_avx2_instructions(built: None) -> None:
    objects = inspect(KERNELS, "objdump", "--disassemble", "--no-show-raw-insn")
    avx2 = avx2_objects(objects)
    assert [name for name, text in objects.items() if "%ymm" in text] == list(avx2)


def test_the_avx2_files_share_no_function_with_others(built: None) -> None:
    """A weak one could take the place of the same function in a file for any processor."""
    for name, text in avx2_objects(inspect(KERNELS, "nm", "--demangle", "--defined-only")).items():
        weak = re.findall(r"^[0-9a-f]+ [VvWwu] (.*)$", text, re.MULTILINE)
        # A pointer of the C++ library's own, no code.
        assert set(weak) <= {"DW.ref.__gxx_personality_v0"}, name
