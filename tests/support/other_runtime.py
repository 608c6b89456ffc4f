"""Runs a Python program with another build of the library than the one that is installed.

    python other_runtime.py FOLDER PROGRAM [ARGUMENT ...]

FOLDER holds a copy of the package ``bdnet_runtime`` with that library in it. An editable install
finds the package by a finder of its own, before any path is searched; it is taken out here.
"""

from __future__ import annotations

import runpy
import shutil
import sys
from pathlib import Path

HERE = Path(__file__)
PACKAGE = HERE.parents[2] / "runtime" / "bdnet_runtime"


def copy_package(library: Path, folder: Path) -> tuple[str, ...]:
    """Makes FOLDER; the command that runs a program with it."""
    copied = folder / PACKAGE.name
    shutil.copytree(PACKAGE, copied, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    shutil.copy(library, copied)
    return (sys.executable, str(HERE), str(folder))


def main() -> None:
    folder, program = sys.argv[1:3]
    sys.argv = sys.argv[2:]
    sys.meta_path[:] = [f for f in sys.meta_path if "editable" not in type(f).__module__]
    sys.path[0] = str(Path(program).parent)
    sys.path.insert(0, folder)
    import bdnet_runtime

    if not bdnet_runtime.get_library_path().startswith(folder):
        raise SystemExit(f"the library is {bdnet_runtime.get_library_path()}, not in {folder}")
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
