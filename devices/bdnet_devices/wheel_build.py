"""bdnet's own wheel, built from a source folder for Linux on some processor: `build_wheel`.

Cross-compiled by zig, against a glibc that every board and every desktop has. The same sources give
the same bytes, wherever and whenever they are built.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from bdnet_devices.cache import cache_folder, keep
from bdnet_devices.device import Progress
from bdnet_devices.pip import pip
from bdnet_runtime import InputError

MACHINES = ("aarch64", "x86_64")

# A compiler for every machine and every glibc, from PyPI. One version: in our build a warning is an
# error, and this one is known to have none. It is 90 MB, 400 MB unpacked, and only who deploys from
# a source folder needs it: it is fetched when it is first needed and belongs to no extra.
ZIG = "ziglang==0.17.1"

# The glibc that the wheel's tag promises; cmake/zig.cmake has it as well.
PLATFORM = "manylinux_2_28"


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


def build_wheel(tree: Path, machine: str, folder: Path, progress: Progress) -> Path:
    """Builds the wheel of the source folder ``tree`` into ``folder``, and returns it.

    Raises:
        InputError: it does not build.
    """
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
        env = {name: value for name, value in os.environ.items() if name not in FOR_THIS_MACHINE}
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

    (wheel,) = folder.glob(f"bdnet-*-py3-none-{PLATFORM}_{machine}.whl")
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
