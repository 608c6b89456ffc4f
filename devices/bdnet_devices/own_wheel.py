"""bdnet's own wheel for a board: cross-compiled from the source folder, once per state of it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from bdnet_devices.cache import cache_folder, keep
from bdnet_devices.device import Progress
from bdnet_devices.wheel_build import PLATFORM, ZIG, build_wheel
from bdnet_runtime import InputError, __version__

# All that the wheel is made of.
SOURCES = ("bdnet", "cmake", "devices", "export", "runtime")
FILES = ("CMakeLists.txt", "LICENSE", "README.md", "pyproject.toml")


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


def _wheel_name(machine: str) -> str:
    return f"bdnet-{__version__}-py3-none-{PLATFORM}_{machine}.whl"


def _given_name(machine: str) -> str:
    return f"own/given-{__version__}-{machine}"


def _keep_given(machine: str, wheel: Path) -> Path:
    expected = _wheel_name(machine)
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
        build_wheel(tree, machine, folder, progress)

    (wheel,) = keep(f"own/{machine}-{digest_of_sources(tree)}", fill).glob("*.whl")
    if wheel.name != _wheel_name(machine):
        raise InputError(
            f"{tree} makes {wheel.name} and not {_wheel_name(machine)}; install bdnet from there "
            "once more"
        )
    return wheel


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
