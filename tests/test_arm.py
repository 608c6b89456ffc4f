"""64-bit ARM without a board: the C++ tests cross-compiled, and run under qemu-user.

The emulated processors differ in what they can do: cortex-a53 and cortex-a72 end at armv8.0, where
a newer instruction is an illegal one, cortex-a76 has armv8.2 with dot products.
"""

from __future__ import annotations

import re
import sys

import pytest

from support.arm import BUILD, KERNELS, PREFIX, QEMU, build_for_arm
from support.cpp_build import ROOT, inspect, require, run


@pytest.fixture(scope="module")
def built() -> None:
    """The C++ tests, built for aarch64 into BUILD."""
    build_for_arm("bdnet_cpp_tests")


@pytest.mark.parametrize("processor", ["cortex-a53", "cortex-a72", "cortex-a76"])
def test_cpp_under_qemu(built: None, processor: str) -> None:
    require(QEMU, "qemu-user-static")
    program = BUILD / "tests" / "cpp" / "bdnet_cpp_tests"
    # Emulation is slow, and the reference against itself has been seen on the machine that builds.
    tested = run(QEMU, "-cpu", processor, program, "--gtest_filter=-Isa/*/reference*")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert re.search(r"\[       OK \] Isa/.*/neon", tested.stdout), tested.stdout


# Above armv8.0-a: dot and matrix products of bytes, atomic instructions, half floats, SVE.
NEWER = re.compile(
    r"\b(us?dot|sudot|sdot|[us]mmla|usmmla|sqrdml[as]h|fcmla|fcadd"
    r"|(ld(add|clr|eor|set|[su]max|[su]min)|swp|casp?)(a|al|l)?[bh]?"
    r"|f(?!cvt)\w+\s+v\d+\.[48]h.*|\w+\s+z\d+\..*)\b"
)
# One rounding where the contract has two.
CONTRACTED = re.compile(r"\bfn?m(la|ls|add|sub)\b")


def test_the_kernels_are_for_every_armv8_processor(built: None) -> None:
    objects = inspect(KERNELS, f"{PREFIX}objdump", "--disassemble", "--no-show-raw-insn")
    assert "fmul" in objects["neon_float.cpp.o"]  # what is looked for would be seen
    for name, text in objects.items():
        wrong = [line for line in text.splitlines() if NEWER.search(line)]
        wrong += [line for line in text.splitlines() if CONTRACTED.search(line)]
        assert not wrong, f"{name}: {wrong}"


def test_the_stem_fetches_ahead(built: None) -> None:
    objects = inspect(KERNELS, f"{PREFIX}objdump", "--disassemble", "--no-show-raw-insn")
    assert "prfm" in objects["neon_float.cpp.o"]


def test_the_library_is_built(built: None) -> None:
    """What ONNX Runtime loads on a board, with the symbol by which it does."""
    build_for_arm("bdnet_ort")
    exported = run(
        f"{PREFIX}nm", "--dynamic", "--defined-only", BUILD / "runtime" / "libbdnet_ort.so"
    )
    assert "RegisterCustomOps" in exported.stdout, exported.stderr


def test_the_model_of_the_inner_loops() -> None:
    """docs/performance.md shows it; the point-wise loop is to count 60 MACs a cycle or more."""
    require(f"{PREFIX}g++", "g++-aarch64-linux-gnu")
    require("llvm-mca-19", "llvm-19")
    printed = run(sys.executable, ROOT / "benchmarks" / "arm_model.py")
    assert printed.returncode == 0, printed.stderr
    rows = [row.strip("| ").split(" | ") for row in printed.stdout.splitlines() if "|" in row]
    header, dense = rows[0], rows[2]
    assert dense[0].startswith("dense and point-wise")
    rates = dict(zip(header[2:], dense[2:], strict=True))
    for processor in ("cortex-a72", "neoverse-n1"):
        rate = re.search(r"([\d.]+) a cycle", rates[processor])
        assert rate is not None, rates[processor]
        assert float(rate[1]) >= 60, f"{processor}: {rates[processor]}"
