"""The wheels that a board is given: chosen for its Python, ours compiled for its system."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import onnxruntime
import pytest

from bdnet_devices import own_wheel
from bdnet_devices.board_python import BoardPython
from bdnet_devices.cache import cache_folder, keep
from bdnet_devices.own_wheel import digest_of_sources
from bdnet_devices.packages import newest_wheel, parse_pins
from bdnet_devices.wheel_build import MACHINES
from bdnet_runtime import InputError, __version__, info
from support.cpp_build import ROOT, require, run
from support.tools import unavailable


def quiet(stage: str, fraction: float) -> None:
    """A progress that nobody sees."""


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return cache_folder()


@pytest.fixture(scope="module", params=MACHINES)
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """bdnet's wheel for a machine, unpacked; its name is the folder's."""
    if own_wheel.source_folder() is None:
        unavailable("bdnet is not installed from its source folder")
    wheel = own_wheel.own_wheel(request.param, quiet)
    folder = tmp_path_factory.mktemp("wheel") / wheel.name
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def test_the_library_needs_no_newer_glibc_than_the_tag_says(built: Path) -> None:
    require("readelf", "binutils")
    library = built / "bdnet_runtime" / "libbdnet_ort.so"
    machine = re.fullmatch(r"bdnet-\S+-py3-none-manylinux_2_28_(\w+)\.whl", built.name)
    assert machine is not None
    header = run("readelf", "--file-header", library).stdout
    assert {"aarch64": "AArch64", "x86_64": "X86-64"}[machine[1]] in header
    needed = run("readelf", "--version-info", library).stdout
    versions = {
        tuple(map(int, found.split("."))) for found in re.findall(r"GLIBC_([\d.]+)", needed)
    }
    assert versions
    assert max(versions) <= (2, 28)
    # Nothing that some board does not have: the C++ library is inside.
    dynamic = run("readelf", "--dynamic", library).stdout
    libraries = set(re.findall(r"Shared library: \[(.*)\]", dynamic))
    assert libraries <= {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0"} | {
        name for name in libraries if name.startswith("ld-linux-")
    }


@pytest.mark.parametrize("built", [platform.machine()], indirect=True)
def test_the_wheel_runs_here(built: Path) -> None:
    """The wheel for this machine, by another compiler than the library that is installed."""
    installed = Path(onnxruntime.__file__).parents[1]
    done = subprocess.run(
        # -S: an editable install of bdnet would come first.
        [
            sys.executable,
            "-S",
            "-c",
            "import bdnet_runtime as r, json; print(json.dumps(r.info()))",
        ],
        env={**os.environ, "PYTHONPATH": f"{built}{os.pathsep}{installed}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["library"] == str(built / "bdnet_runtime" / "libbdnet_ort.so")
    assert found["library_version"] == __version__
    assert found["isa"] == info()["isa"]


def test_every_change_of_the_sources_makes_another_wheel(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns(".*", "build", "tests", "docs", "benchmarks", "__pycache__")
    tree = Path(shutil.copytree(ROOT, tmp_path / "tree", ignore=ignored))
    before = digest_of_sources(tree)
    assert before == digest_of_sources(ROOT)
    (tree / "runtime" / "__pycache__").mkdir()
    (tree / "runtime" / "__pycache__" / "x.pyc").write_bytes(b"what Python left")
    assert digest_of_sources(tree) == before
    header = tree / "runtime" / "include" / "bdnet" / "status.h"
    header.write_text(header.read_text() + "\n")
    assert digest_of_sources(tree) != before


@pytest.fixture
def no_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_wheel, "source_folder", lambda: None)


def test_a_given_wheel_is_kept_for_the_next_time(
    tmp_path: Path, empty_cache: Path, no_sources: None
) -> None:
    with pytest.raises(InputError, match="give one with --wheel FILE"):
        own_wheel.own_wheel("aarch64", quiet)
    given = tmp_path / f"bdnet-{__version__}-py3-none-manylinux_2_28_aarch64.whl"
    with pytest.raises(InputError, match="there is no wheel"):
        own_wheel.own_wheel("aarch64", quiet, given)
    for content in (b"first", b"second"):
        given.write_bytes(content)
        own_wheel.own_wheel("aarch64", quiet, given)
        assert own_wheel.own_wheel("aarch64", quiet).read_bytes() == content
    with pytest.raises(InputError, match="--wheel"):
        own_wheel.own_wheel("x86_64", quiet)


@pytest.mark.parametrize(
    "name",
    [
        f"bdnet-{__version__}-py3-none-manylinux_2_28_x86_64.whl",
        "bdnet-0.0.1-py3-none-manylinux_2_28_aarch64.whl",
        "numpy-2.4.6-cp311-cp311-manylinux_2_28_aarch64.whl",
    ],
)
def test_a_wheel_of_something_else_is_refused(tmp_path: Path, empty_cache: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(
        InputError, match=f"{re.escape(name)} is not for this board; expected bdnet"
    ):
        own_wheel.own_wheel("aarch64", quiet, tmp_path / name)


def test_the_newest_onnxruntime_is_that_of_the_boards_python() -> None:
    """A JetPack 6 has Python 3.10, and ONNX Runtime left it after 1.23."""
    python = BoardPython((3, 10), "aarch64", (2, 35))
    try:
        wheel = newest_wheel("onnxruntime>=1.21", python, quiet)
    except InputError as error:
        unavailable(str(error))
    assert re.match(r"onnxruntime-1\.23\.\d+-cp310-cp310-manylinux\S*_aarch64\.whl", wheel.name)
    assert newest_wheel("onnxruntime>=1.21", python, quiet) == wheel


def test_without_an_index_it_is_one_sentence(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(os.environ):
        if name.startswith("PIP_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # the port of `discard`
    monkeypatch.setenv("PIP_RETRIES", "1")
    python = BoardPython((3, 11), "aarch64", (2, 36))
    with pytest.raises(InputError) as raised:
        newest_wheel("numpy", python, quiet)
    assert str(raised.value) == (
        "numpy cannot be downloaded for Python 3.11 on aarch64: pip reached no package index; "
        "connect this machine to one, or configure pip for one that it reaches"
    )
    assert {path.suffix for path in (empty_cache / "wheels").iterdir()} == {".lock"}


def test_pins_name_packages_that_a_board_is_given() -> None:
    assert parse_pins(["onnxruntime==1.23.2", "NumPy<2"]) == {
        "onnxruntime": "onnxruntime==1.23.2",
        "numpy": "NumPy<2",
    }
    with pytest.raises(InputError, match="did you mean 'onnxruntime'"):
        parse_pins(["onnxrutime==1.23.2"])


def test_a_folder_of_the_cache_is_complete_or_not_there(empty_cache: Path) -> None:
    def interrupted(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        keep("folder", interrupted)
    assert {path.name for path in empty_cache.iterdir()} == {".folder.lock"}


def test_a_folder_of_the_cache_is_filled_once(empty_cache: Path) -> None:
    """Devices side by side ask for the same at once."""
    filled = []
    waiting = threading.Barrier(4)

    def ask() -> None:
        waiting.wait()
        keep("folder", lambda folder: filled.append(folder))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(filled) == 1
