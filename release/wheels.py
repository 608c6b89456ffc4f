"""Builds what a release publishes, the source distribution and the wheels, and checks each file.

Every file is built twice, the wheels from two copies of the source distribution in different
folders, and must be the same bytes. Then each wheel is looked at: its size, its library's symbols,
and by auditwheel what it needs of the system. release/try_wheels.py runs them.

Usage: python release/wheels.py FOLDER
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import scikit_build_core.build
from elftools.elf.elffile import ELFFile

from bdnet_devices.wheel_build import MACHINES, PLATFORM, build_wheel
from bdnet_runtime import InputError

ROOT = Path(__file__).parents[1]
MOST_BYTES = 2_000_000  # of a wheel
LIBRARY = "bdnet_runtime/libbdnet_ort.so"


def twice(build: Callable[[Path], Path], folder: Path) -> Path:
    """What ``build`` makes in a folder that it is given, kept in ``folder`` if twice the same."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        first, second = build(Path(one)), build(Path(other))
        if first.read_bytes() != second.read_bytes():
            raise InputError(f"{first.name} is not reproducible: two builds gave different bytes")
        return Path(shutil.copy(first, folder))


def source_distribution(folder: Path) -> Path:
    with contextlib.chdir(ROOT), contextlib.redirect_stdout(io.StringIO()):
        return folder / scikit_build_core.build.build_sdist(str(folder))


def wheel_of(sources: Path, machine: str, folder: Path) -> Path:
    """The wheel of a source distribution, which is unpacked into ``folder``."""
    shutil.unpack_archive(sources, folder)
    tree = folder / sources.name.removesuffix(".tar.gz")
    return build_wheel(tree, machine, folder, lambda stage, fraction: None)


def check(wheel: Path, machine: str) -> None:
    """Raises `InputError` where a wheel is not fit to be published."""
    size = wheel.stat().st_size
    if size > MOST_BYTES:
        raise InputError(f"{wheel.name} has {size:,} bytes; expected at most {MOST_BYTES:,}")
    with zipfile.ZipFile(wheel).open(LIBRARY) as library:
        sections = [section.name for section in ELFFile(io.BytesIO(library.read())).iter_sections()]
    left = [name for name in sections if name == ".symtab" or name.startswith(".debug")]
    if left:
        raise InputError(f"the library in {wheel.name} is not stripped: it has {left[0]}")
    audit = " ".join(
        output(str(Path(sys.executable).with_name("auditwheel")), "show", str(wheel)).split()
    )
    tag = f"{PLATFORM}_{machine}"
    consistent = re.search(
        r'consistent with the following platform tag: "manylinux_2_(\d+)_', audit
    )
    if consistent is None or int(consistent[1]) > int(PLATFORM.rpartition("_")[2]):
        raise InputError(f"auditwheel finds {wheel.name} not consistent with {tag}: {audit}")


def output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise InputError(f"{command[0]} failed: {done.stderr.strip()}")
    return done.stdout


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    sources = twice(source_distribution, folder)
    files = [sources]
    for machine in MACHINES:
        wheel = twice(partial(wheel_of, sources, machine), folder)
        check(wheel, machine)
        files.append(wheel)
    for file in files:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        print(f"{file.stat().st_size:>9,} bytes  sha256 {digest}  {file.name}")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"wheels: {error}")
