"""Builds the C++ tests and runs them: packing, geometry and every kernel of every table.

Then looks into the objects for instructions in places where any processor comes by, and sees that
the benchmark times every kernel.
"""

from __future__ import annotations

import json
import platform
import re

import pytest

import bdnet_runtime
from support import kernel_table
from support.cpp_build import ROOT, build, inspect, require, run

BUILD = ROOT / ".cache" / "cpp-tests"
KERNELS = BUILD / "runtime" / "libbdnet_kernels.a"


@pytest.fixture(scope="module")
def built() -> None:
    """The C++ tests, built into BUILD."""
    require("c++", "g++")
    build(BUILD, "bdnet_cpp_tests", "-DBDNET_BUILD_TESTS=ON", "-DBDNET_BUILD_BENCHMARKS=OFF")


def test_cpp(built: None) -> None:
    tested = run("ctest", "--test-dir", BUILD, "--output-on-failure", "--no-tests=error")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    print(tested.stdout)


def vector_objects(objects: dict[str, str]) -> dict[str, str]:
    """Those of the files that are compiled for more than any x86-64 processor has."""
    found = {name: text for name, text in objects.items() if re.match("avx(2|512)_", name)}
    if not found:
        pytest.skip(f"the compiler does not target x86-64 but {platform.machine()}")
    return found


def test_only_the_files_of_an_instruction_set_have_its_instructions(built: None) -> None:
    objects = inspect(KERNELS, "objdump", "--disassemble", "--no-show-raw-insn")
    vectors = vector_objects(objects)
    # %zmm and %k are AVX-512's; %ymm is AVX's, and AVX-512's too.
    wide = {name for name, text in objects.items() if re.search("%ymm|%zmm|%k[0-7]", text)}
    assert wide == vectors.keys()
    widest = {name for name, text in objects.items() if re.search("%zmm|%k[0-7]", text)}
    assert widest == {name for name in vectors if name.startswith("avx512_")}


def test_the_stem_fetches_ahead(built: None) -> None:
    """A compiler that finds nothing in a fetch drops it, and only a batch's time would tell."""
    objects = vector_objects(inspect(KERNELS, "objdump", "--disassemble", "--no-show-raw-insn"))
    for name in ("avx2_float.cpp.o", "avx512_float.cpp.o"):
        assert "prefetcht0" in objects[name], name


def test_the_files_of_an_instruction_set_share_no_function_with_others(built: None) -> None:
    """A weak one could take the place of the same function in a file for any processor."""
    for name, text in vector_objects(
        inspect(KERNELS, "nm", "--demangle", "--defined-only")
    ).items():
        weak = re.findall(r"^[0-9a-f]+ [VvWwu] (.*)$", text, re.MULTILINE)
        # A pointer of the C++ library's own, no code.
        assert set(weak) <= {"DW.ref.__gxx_personality_v0"}, name


def test_the_benchmark_times_every_kernel_of_every_instruction_set() -> None:
    require("c++", "g++")
    target = "bdnet_benchmark_kernels"
    build(BUILD, target, "-DBDNET_BUILD_TESTS=OFF", "-DBDNET_BUILD_BENCHMARKS=ON")
    options = ("--benchmark_min_time=0.001", "--benchmark_format=json")
    done = run(BUILD / "benchmarks" / target, *options)
    assert done.returncode == 0, done.stderr
    timed = json.loads(done.stdout)["benchmarks"]
    pairs = {tuple(benchmark["name"].split("/")[:2]) for benchmark in timed}
    isas = {isa for _, isa in pairs}
    assert pairs == {(kernel, isa) for kernel in kernel_table.kernels() for isa in isas}
    assert {"reference", bdnet_runtime.info()["isa"]} <= isas <= kernel_table.instruction_sets()
    for benchmark in timed:
        rate = benchmark.get("GMAC/s") or benchmark.get("GB/s")
        assert rate, benchmark["name"]
        assert benchmark["%ceiling"], benchmark["name"]


def test_the_inner_loops_of_every_block_are_timed() -> None:
    require("c++", "g++")
    target = "bdnet_benchmark_block_loops"
    build(BUILD, target, "-DBDNET_BUILD_TESTS=OFF", "-DBDNET_BUILD_BENCHMARKS=ON")
    done = run(BUILD / "benchmarks" / target)
    assert done.returncode == 0, done.stderr
    heading, _, *lines = done.stdout.splitlines()
    assert heading.startswith(bdnet_runtime.info()["isa"])
    # Five loops and their sum; only strided blocks average.
    times = [[float(number) for number in line.split()[-6:]] for line in lines]
    *blocks, whole, least = times
    assert len(blocks) == 13
    for line, block in zip(lines, blocks, strict=False):
        assert [number > 0 for number in block] == [True, True, "stride" in line, *[True] * 3], line
        assert sum(block[:5]) == pytest.approx(block[5], abs=0.3)
    assert [sum(column) for column in zip(*blocks, strict=True)] == pytest.approx(whole, abs=1)
    assert all(number > 0 for number in least)
