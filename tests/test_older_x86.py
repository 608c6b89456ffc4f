"""An x86-64 processor from before AVX, emulated: the library must not run what it does not have."""

from __future__ import annotations

import platform

import pytest

from support.cpp_build import ROOT, build, require, run

BUILD = ROOT / ".cache" / "cpp-tests"
QEMU = "qemu-x86_64-static"


def test_a_processor_without_avx2_runs_the_reference() -> None:
    """qemu ends the process at the first instruction that a Nehalem of 2008 lacks."""
    if platform.machine() != "x86_64":
        pytest.skip(f"the C++ tests are built for {platform.machine()}, not x86-64")
    build(BUILD, "bdnet_cpp_tests", "-DBDNET_BUILD_TESTS=ON")
    require(QEMU, "qemu-user-static")
    program = BUILD / "tests" / "cpp" / "bdnet_cpp_tests"
    chosen = "Dispatch*:Packing*:ReferenceKernels*:Isa/*ManyChannels*"
    tested = run(QEMU, "-cpu", "Nehalem", program, f"--gtest_filter={chosen}")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "[       OK ] Dispatch.TakesTheFastestUnlessAsked" in tested.stdout
    tables = {
        line.rpartition("/")[2].split()[0]
        for line in tested.stdout.splitlines()
        if "OK ] Isa/" in line
    }
    assert tables == {"reference"}
