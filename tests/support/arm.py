"""What builds for 64-bit ARM and runs it without a board: a cross-compiler and qemu-user."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from support.alone import alone_in
from support.cpp_build import ROOT, build, require, run
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


# The Python of Debian 12, and packages for it. Emulation decides the versions: qemu 7.2 does not
# run ONNX Runtime 1.28 and newer.
SUITE = "bookworm"
PYTHON = "3.11"
PACKAGES = ("onnxruntime==1.27.0", "numpy==1.26.4")
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux2014_aarch64")
CACHE = ROOT / ".cache" / "aarch64-python"


def keep(name: str, command: list[str | Path], what: str) -> Path:
    """The folder ``name`` of CACHE, which ``command`` fills when the path is put behind it.

    Complete or not there: a run that was cut short must not leave half of one.
    """
    folder = CACHE / name
    with alone_in(folder):
        if not folder.is_dir():
            part = Path(tempfile.mkdtemp(prefix=f"{name}.part-", dir=CACHE))
            done = run(*command, part)
            if done.returncode:
                shutil.rmtree(part, ignore_errors=True)
                lines = (done.stderr or done.stdout).strip().splitlines() or ["nothing was said"]
                unavailable(f"{what} could not be fetched: {lines[-1]}")
            part.rename(folder)
    return folder


def on_arm(processor: str) -> list[str | Path]:
    """What starts a program for arm64: an emulated processor, with Debian's libraries.

    Needs no rights: the system's files are only unpacked, nothing of them is run.
    """
    require(QEMU, "qemu-user-static")
    require("mmdebstrap", "mmdebstrap")
    system = keep(
        "system",
        [
            *("mmdebstrap", "--mode=chrootless", "--variant=extract", "--architectures=arm64"),
            *("--include=python3,libstdc++6,libgomp1", SUITE),
        ],
        "an arm64 system with Python",
    )
    return [QEMU, "-cpu", processor, "-L", system]


def python_of_arm(processor: str) -> list[str | Path]:
    """A command that starts Debian's Python on an emulated processor, with nothing installed."""
    starter = on_arm(processor)
    return [*starter, Path(starter[-1]) / "usr" / "bin" / f"python{PYTHON}"]


def packages_for_arm() -> Path:
    """A folder with ONNX Runtime and NumPy for that Python."""
    download: list[str | Path] = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    download += ["--only-binary=:all:", "--python-version", PYTHON, *PACKAGES]
    for platform in PLATFORMS:
        download += ["--platform", platform]
    return keep("packages", [*download, "--target"], "ONNX Runtime for aarch64")


def python_on_arm(processor: str) -> tuple[list[str | Path], dict[str, str]]:
    """A command that starts Python on an emulated processor, and its environment.

    It imports numpy, ONNX Runtime and bdnet_runtime with the library of build_for_arm(): what a
    board has.
    """
    command = python_of_arm(processor)
    build_for_arm("bdnet_ort")
    packages = packages_for_arm()

    installed = CACHE / "bdnet"
    shutil.rmtree(installed, ignore_errors=True)
    shutil.copytree(ROOT / "runtime" / "bdnet_runtime", installed / "bdnet_runtime")
    shutil.copy(BUILD / "runtime" / "libbdnet_ort.so", installed / "bdnet_runtime")
    return command, {"PYTHONPATH": f"{installed}{os.pathsep}{packages}", "PATH": os.environ["PATH"]}
