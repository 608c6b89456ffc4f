"""The library with AddressSanitizer and UndefinedBehaviorSanitizer, by the preset for both.

Guard pages end a kernel that leaves a buffer of the C++ tests; the sanitizers see what lies
between: arrays on the stack and on the heap, misaligned pointers, integers that overflow. Then ONNX
Runtime loads the library so built, for the runtime's own tests of the operators and for mutated
models.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz.base_models import base_models
from fuzz.campaign import Worker, try_mutants
from support.cpp_build import ROOT, build, inspect, require, run
from support.other_runtime import copy_package
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


# Those that need no PyTorch, which takes minutes to load under a sanitizer.
RUNTIME_TESTS = ("test_operators.py", "test_linear_operators.py")
# ONNX Runtime finds no memory there, and AddressSanitizer ends the process where an exception would
# be thrown.
NO_MEMORY = "test_signs_that_have_no_place_are_refused"
MUTANTS = 24


@pytest.fixture(scope="module")
def sanitised(tmp_path_factory: pytest.TempPathFactory) -> Worker:
    """The command that runs a Python program with a library that is built with sanitizers."""
    require_sanitizers()
    build(BUILD, "bdnet_ort", "--preset", PRESET)
    library = BUILD / "runtime" / "libbdnet_ort.so"
    symbols = run("nm", "-D", "--undefined-only", library).stdout
    assert "__asan_report" in symbols
    assert "__ubsan_handle" in symbols
    # Both come before whatever Python loads: the one looks for the exceptions of the other.
    preloaded = [
        run("c++", f"-print-file-name={name}").stdout.strip()
        for name in ("libasan.so", "libstdc++.so")
    ]
    # Python itself keeps memory until it ends.
    options = "detect_leaks=0:allocator_may_return_null=1:max_allocation_size_mb=2048"
    return Worker(
        copy_package(library, tmp_path_factory.mktemp("sanitised")),
        {"LD_PRELOAD": " ".join(preloaded), "ASAN_OPTIONS": options},
    )


def test_operators_under_sanitizers(sanitised: Worker) -> None:
    pytest_program = Path(sys.executable).with_name("pytest")
    tests = [ROOT / "tests" / "runtime" / name for name in RUNTIME_TESTS]
    options = ("-x", "-q", "-s", "-p", "no:cacheprovider", "-k", f"not {NO_MEMORY}")
    tested = subprocess.run(
        [*sanitised.command, str(pytest_program), *options, *map(str, tests)],
        cwd=ROOT,
        env=os.environ | sanitised.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout[-4000:] + tested.stderr[-4000:]
    assert " passed" in tested.stdout


def test_mutated_models_under_sanitizers(sanitised: Worker, tmp_path: Path) -> None:
    seed = os.environ.get("BDNET_FUZZ_SEED") or str(random.SystemRandom().randrange(2**32))
    print(f"BDNET_FUZZ_SEED={seed}")
    models = base_models(tmp_path)
    folder = tmp_path / "mutants"
    folder.mkdir()
    names = [f"{seed}-{index}" for index in range(MUTANTS)]
    verdict = try_mutants(models, names, folder, sanitised)
    print(verdict)
    assert not verdict.findings, "\n".join(verdict.findings)
    assert verdict.ran + verdict.refused == MUTANTS
