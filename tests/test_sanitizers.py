"""The C++ tests with AddressSanitizer and UndefinedBehaviorSanitizer, by the preset for both.

Guard pages end a kernel that leaves a buffer of the tests; the sanitizers see what lies between:
arrays on the stack and on the heap, misaligned pointers, integers that overflow.
"""

from __future__ import annotations

import subprocess

from support.cpp_build import ROOT, build, inspect, require, run
from support.tools import unavailable

PRESET = "asan-ubsan"
BUILD = ROOT / ".cache" / PRESET


def require_sanitizers() -> None:
    require("c++", "g++")
    command = ("c++", "-fsanitize=address,undefined", "-x", "c++", "-", "-o", "/dev/null")
    done = subprocess.run(command, input="int main() {}", capture_output=True, text=True)
    if done.returncode != 0:
        unavailable(f"the compiler has no sanitizers: {done.stderr.strip().splitlines()[-1]}")


def test_cpp_under_sanitizers() -> None:
    require_sanitizers()
    build(BUILD, "bdnet_cpp_tests", "--preset", PRESET)
    objects = inspect(BUILD / "runtime" / "libbdnet_kernels.a", "nm", "--undefined-only")
    for name in ("vector_kernels.cpp.o", "reference.cpp.o"):
        assert "__asan_report" in objects[name]
        assert "__ubsan_handle" in objects[name]
    tests = ("ctest", "--test-dir", BUILD, "--output-on-failure", "--no-tests=error")
    tested = run(*tests, "--parallel", "2")
    assert tested.returncode == 0, tested.stdout + tested.stderr
