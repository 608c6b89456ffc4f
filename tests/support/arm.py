"""What builds for 64-bit ARM and runs it without a board: a cross-compiler and qemu-user."""

from __future__ import annotations

from pathlib import Path

from support.cpp_build import ROOT, build, require
from support.tools import unavailable

BUILD = ROOT / ".cache" / "aarch64"
KERNELS = BUILD / "runtime" / "libbdnet_kernels.a"
PREFIX = "aarch64-linux-gnu-"
QEMU = "qemu-aarch64-static"
GOOGLETEST = Path("/usr/src/googletest")


def build_for_arm(target: str) -> None:
    """Builds ``target`` into BUILD."""
    require(f"{PREFIX}g++", "g++-aarch64-linux-gnu")
    if not GOOGLETEST.is_dir():
        unavailable(f"{GOOGLETEST} is not there: GoogleTest's sources (Debian: libgtest-dev)")
    build(
        BUILD,
        target,
        f"-DCMAKE_TOOLCHAIN_FILE={ROOT / 'cmake' / 'aarch64-linux-gnu.cmake'}",
        "-DBDNET_BUILD_TESTS=ON",
        f"-DBDNET_GTEST_SOURCE_DIR={GOOGLETEST}",
        # A program that needs nothing of the target's libraries at run time.
        "-DCMAKE_EXE_LINKER_FLAGS=-static",
    )
