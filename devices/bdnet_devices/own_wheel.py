"""bdnet's own wheel for a board: cross-compiled from the source folder, once per state of it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from bdnet_devices.cache import cache_folder, keep
from bdnet_devices.device import Progress
from bdnet_devices.pip import pip
from bdnet_runtime import InputError, __version__

MACHINES = ("aarch64", "x86_64")

# A compiler for every machine and every glibc, from PyPI. One version: in our build a warning is an
# error, and this one is known to have none. It is 90 MB, 400 MB unpacked, and only who deploys from
# a source folder needs it: it is fetched when it is first needed and belongs to no extra.
ZIG = "ziglang==0.17.1"

# The glibc that the wheel's tag promises; cmake/zig.cmake has it as well.
PLATFORM = "manylinux_2_28"

# All that the wheel is made of.
SOURCES = ("bdnet", "cmake", "devices", "export", "runtime")
FILES = ("CMakeLists.txt", "LICENSE", "README.md", "pyproject.toml")


# What a user may have set for builds for the workstation.
FOR_THIS_MACHINE = {
    "CMAKE_ARGS",
    "CMAKE_TOOLCHAIN_FILE",
    "CPLUS_INCLUDE_PATH",
    "CXX",
    "CXXFLAGS",
    "LDFLAGS",
    "SKBUILD_CMAKE_ARGS",
}


def own_wheel(machine: str, progress: Progress, given: Path | None = None) -> Path:
    """bdnet's wheel for Linux on ``machine``, of this version.

    Args:
        given: the wheel, where the user has one. It is kept for the next time.

    Raises:
        InputError: the wheel is another one, or there are neither a source folder nor a wheel.
    """
    if given is not None:
        return _keep_given(machine, given)
    tree = source_folder()
    if tree is not None:
        return _build(tree, machine, progress)
    kept = cache_folder() / _given_name(machine)
    for wheel in kept.glob("*.whl"):
        return wheel
    raise InputError(
        f"bdnet was not installed from a source folder, so its wheel for {machine} cannot be built "
        "here; give one with --wheel FILE, or install bdnet from its source folder"
    )


def source_folder() -> Path | None:
    """The folder that bdnet was installed from, if it was one and is still there."""
    try:
        text = distribution("bdnet").read_text("direct_url.json")
    except PackageNotFoundError:
        return None
    url = urlsplit(json.loads(text or "{}").get("url", ""))
    folder = Path(url2pathname(url.path))
    there = url.scheme == "file" and (folder / "cmake" / "zig.cmake").is_file()
    return folder if there else None


def _given_name(machine: str) -> str:
    return f"own/given-{__version__}-{machine}"


def _keep_given(machine: str, wheel: Path) -> Path:
    expected = f"bdnet-{__version__}-py3-none-manylinux_2_28_{machine}.whl"
    if not re.fullmatch(rf"bdnet-{re.escape(__version__)}-py3-none-\S*{machine}\.whl", wheel.name):
        raise InputError(f"the wheel {wheel} is not for this board; expected {expected}")
    if not wheel.is_file():
        raise InputError(f"there is no wheel {wheel}")
    folder = cache_folder() / _given_name(machine)
    shutil.rmtree(folder, ignore_errors=True)
    return keep(_given_name(machine), lambda part: _copy(wheel, part)) / wheel.name


def _copy(file: Path, folder: Path) -> None:
    shutil.copy(file, folder)


def _build(tree: Path, machine: str, progress: Progress) -> Path:
    def fill(folder: Path) -> None:
        zig = _zig(progress)
        stage = f"compiling bdnet for {machine} (once for these sources)"
        progress(stage, 0.0)
        log: list[str] = []

        def tell(line: str) -> None:
            log.append(line)
            step = re.search(r"\[\s*(\d+)/(\d+)\]|\[\s*(\d+)%\]", line)
            if step is not None:
                done, of, percent = step.groups()
                progress(stage, int(percent) / 100 if percent else int(done) / int(of))

        with tempfile.TemporaryDirectory(prefix="bdnet-build-") as build:
            settings = {
                "build-dir": build,
                "cmake.define.CMAKE_TOOLCHAIN_FILE": str(tree / "cmake" / "zig.cmake"),
                "cmake.define.BDNET_ZIG": str(zig),
                "cmake.define.BDNET_MACHINE": machine,
                "install.strip": "false",  # the toolchain file does it
                # What the build takes the wheel's tag from.
                "env._PYTHON_HOST_PLATFORM": f"{PLATFORM}_{machine}",
            }
            options = [f"--config-settings={name}={value}" for name, value in settings.items()]
            env = {
                name: value for name, value in os.environ.items() if name not in FOR_THIS_MACHINE
            }
            # Where zig keeps what it has compiled: all that is ours lies in one folder.
            env["ZIG_GLOBAL_CACHE_DIR"] = str(cache_folder() / "zig")
            try:
                pip(
                    *("wheel", "--verbose", "--no-deps", "--wheel-dir", str(folder), *options),
                    str(tree),
                    env=env,
                    tell=tell,
                )
            except InputError as error:
                raise _build_failure(tree, machine, log, error) from None

    (wheel,) = keep(f"own/{machine}-{digest_of_sources(tree)}", fill).glob("*.whl")
    expected = f"bdnet-{__version__}-py3-none-{PLATFORM}_{machine}.whl"
    if wheel.name != expected:
        raise InputError(
            f"{tree} makes {wheel.name} and not {expected}; install bdnet from there once more"
        )
    return wheel


def _build_failure(tree: Path, machine: str, log: list[str], error: InputError) -> InputError:
    kept = cache_folder() / f"build-{machine}.log"
    kept.write_text("".join(log))
    reason = next((line.strip() for line in log if re.search(r"\berror\b: ", line)), str(error))
    return InputError(
        f"bdnet cannot be compiled for {machine} from {tree}: {reason} (all of it is in {kept})"
    )


def _zig(progress: Progress) -> Path:
    def fill(folder: Path) -> None:
        progress("fetching a cross-compiler (90 MB, once)", 0.0)
        try:
            pip("install", "--quiet", "--no-deps", "--target", str(folder), ZIG)
        except InputError as error:
            raise InputError(f"the cross-compiler {ZIG} cannot be fetched: {error}") from None

    return keep(ZIG, fill) / "ziglang" / "zig"


def digest_of_sources(tree: Path) -> str:
    """A digest of all that the wheel is made of."""
    digest = hashlib.sha256(f"{ZIG} {__version__}".encode())
    for file in _source_files(tree):
        name = str(file.relative_to(tree)).encode()
        content = hashlib.sha256(file.read_bytes()).digest()
        digest.update(name + b"\0" + content)
    return digest.hexdigest()[:16]


def _source_files(tree: Path) -> Iterator[Path]:
    yield from (tree / name for name in FILES)
    for folder in SOURCES:
        for file in sorted((tree / folder).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                yield file
