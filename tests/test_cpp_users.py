"""C++ programs that know bdnet only as what `cmake --install` gives: examples/cpp, here and on ARM.

They are configured by find_package and by pkg-config, as a user does, and run: with ONNX Runtime's
library and ours, and without ONNX Runtime at all.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import bdnet_runtime
from support import arm
from support.alone import alone_in
from support.arm import build_for_arm, on_arm
from support.cpp_build import ROOT, build, require, run
from support.golden import golden_files

EXAMPLES = ROOT / "examples" / "cpp"
GOLDEN = next(file for file in reversed(golden_files()) if file.path.stem == "fashion-mnist")
MODEL = GOLDEN.path  # reads image bytes
IMAGES = [image.transpose(2, 0, 1) for image in GOLDEN.input]
EDGE = " -2  4  4 -2\n -3  6  6 -3\n -2  4  4 -2\n"


@dataclass(frozen=True)
class Target:
    """Where programs are built for: what was installed, options of CMake, and what starts them."""

    installed: Path
    options: tuple[str, ...]
    starter: tuple[str | Path, ...]

    def program(self, name: str, folder: Path) -> Path:
        """An example, built by find_package."""
        package = f"-Dbdnet_DIR={self.installed / 'lib' / 'cmake' / 'bdnet'}"
        configured = run("cmake", "-S", EXAMPLES / name, "-B", folder, package, *self.options)
        assert configured.returncode == 0, configured.stdout + configured.stderr
        built = run("cmake", "--build", folder)
        assert built.returncode == 0, built.stdout + built.stderr
        return folder

    def start(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        return run(*self.starter, *command)


def installed(build_folder: Path, prefix: Path) -> Path:
    with alone_in(build_folder):
        done = run("cmake", "--install", build_folder, "--prefix", prefix)
    assert done.returncode == 0, done.stderr
    return prefix


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Target:
    require("c++", "g++")
    folder = ROOT / ".cache" / "cpp-tests"
    build(folder, "bdnet_ort", "-DBDNET_BUILD_TESTS=ON", "-DBDNET_BUILD_BENCHMARKS=OFF")
    return Target(installed(folder, tmp_path_factory.mktemp("here")), (), ())


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Target:
    build_for_arm("bdnet_ort")
    options = (f"-DCMAKE_TOOLCHAIN_FILE={ROOT / 'cmake' / 'aarch64-linux-gnu.cmake'}",)
    prefix = installed(arm.BUILD, tmp_path_factory.mktemp("aarch64"))
    return Target(prefix, options, tuple(on_arm("cortex-a72")))


@pytest.fixture(scope="module")
def classify(here: Target, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, built for this machine."""
    return here.program("classify", tmp_path_factory.mktemp("classify")) / "classify"


def write_pixmap(path: Path, image: np.ndarray) -> Path:
    """An image [channels, height, width] of bytes as PGM or PPM."""
    channels, height, width = image.shape
    header = f"P{'6' if channels == 3 else '5'}\n# by a test\n{width} {height}\n255\n"
    path.write_bytes(header.encode() + image.transpose(1, 2, 0).tobytes())
    return path


def best_five(text: str) -> dict[int, float]:
    heading, *lines = text.splitlines()
    assert heading.split() == ["class", "logit"]
    return {int(line.split()[0]): float(line.split()[1]) for line in lines}


def assert_best_five(printed: str, image: np.ndarray) -> None:
    """That the program printed what a session in Python gives."""
    session = bdnet_runtime.create_session(MODEL)
    (logits,) = session.run(None, {"image": image.transpose(1, 2, 0)[None]})
    expected = np.argsort(-logits[0], kind="stable")[:5]
    found = best_five(printed)
    assert [*found] == expected.tolist()
    # Its ONNX Runtime, and so its classifier of floats, is another one: validate's tolerance.
    tolerance = 1e-5 * abs(logits).max()
    assert np.allclose([*found.values()], logits[0][expected], rtol=0, atol=tolerance)


@pytest.mark.parametrize("library", [(), ("none",)], ids=["library", "bodies"])
def test_classify(here: Target, classify: Path, library: tuple[str, ...], tmp_path: Path) -> None:
    for image in IMAGES:
        path = write_pixmap(tmp_path / "image.pgm", image)
        done = here.start(classify, MODEL, path, *library)
        assert done.returncode == 0, done.stderr
        assert_best_five(done.stdout, image)


def test_classify_on_a_board(board: Target, tmp_path: Path) -> None:
    program = board.program("classify", tmp_path / "build") / "classify"
    path = write_pixmap(tmp_path / "image.pgm", IMAGES[0])
    done = board.start(program, MODEL, path)
    assert done.returncode == 0, done.stderr
    assert_best_five(done.stdout, IMAGES[0])


def test_classify_refuses_in_one_sentence(here: Target, classify: Path, tmp_path: Path) -> None:
    colour = write_pixmap(tmp_path / "colour.ppm", np.zeros((3, 28, 28), np.uint8))
    short = tmp_path / "short.ppm"
    short.write_bytes(colour.read_bytes()[:-1])
    header = tmp_path / "header.ppm"
    header.write_bytes(b"P6 99999999999999999999 1 255\n")
    for arguments, sentence in (
        ((MODEL, colour), "the image is 1 x 28 x 28 x 3, the model reads any x 28 x 28 x 1"),
        ((MODEL, short), "ends before its last pixel"),
        ((MODEL, header), "is not WIDTH HEIGHT 255"),
        ((MODEL, MODEL), "is no binary PPM"),
        ((MODEL, tmp_path / "none.ppm"), "cannot read the image"),
        ((colour, colour), "colour.ppm"),
        ((MODEL, colour, tmp_path / "none.so"), "none.so"),
    ):
        done = here.start(classify, *arguments)
        assert done.returncode == 2
        assert sentence in done.stderr
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("target", ["here", "board"])
def test_kernels_without_onnx_runtime(
    target: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    machine: Target = request.getfixturevalue(target)
    done = machine.start(machine.program("kernels", tmp_path / "build") / "signs")
    assert done.returncode == 0, done.stderr
    assert done.stdout == EDGE
    isa = "neon" if target == "board" else bdnet_runtime.info()["isa"]
    assert done.stderr.startswith(f"kernels: {isa}, ")


def test_pkg_config(here: Target, tmp_path: Path) -> None:
    require("pkg-config", "pkg-config")
    # Elsewhere: what was installed does not depend on where.
    moved = Path(shutil.copytree(here.installed, tmp_path / "moved"))
    environment = {**os.environ, "PKG_CONFIG_PATH": str(moved / "lib" / "pkgconfig")}

    def ask(*options: str) -> list[str]:
        command = ("pkg-config", *options, "bdnet")
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return shlex.split(done.stdout)

    assert ask("--modversion") == [bdnet_runtime.__version__]
    assert Path(*ask("--variable=ort_library")).samefile(moved / "lib" / "libbdnet_ort.so")
    source = EXAMPLES / "kernels" / "signs.cpp"
    compiled = run(
        "c++", "-std=c++17", source, *ask("--cflags", "--libs"), "-o", tmp_path / "signs"
    )
    assert compiled.returncode == 0, compiled.stderr
    assert run(tmp_path / "signs").stdout == EDGE
