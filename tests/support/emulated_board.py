"""The commands of a 64-bit ARM board where there is none: a folder to be somebody's PATH.

Its ``python3`` is Debian's for arm64 and runs under qemu-user, so that whoever logs in with this
PATH truly runs aarch64 programs; ``uname -m`` agrees. The other commands are this machine's.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from support.arm import PACKAGES, PYTHON, python_of_arm
from support.cpp_build import ROOT

# As XDG_CACHE_HOME: what is downloaded and cross-compiled for boards, once for all tests.
CACHE = ROOT / ".cache" / "boards"

# What `DeviceEntry.packages` must ask for: emulation decides. qemu 7.2 does not run LiteRT 2.2 and
# newer.
PINS = (*PACKAGES, "ai-edge-litert==2.1.6")

# A board says of itself that it is none: its times are not a device's.
ENVIRONMENT = {"BDNET_EMULATED": "1"}

UNAME = """#!/bin/sh
case "$*" in
  -m) echo aarch64 ;;
  *) exec /usr/bin/uname "$@" ;;
esac
"""


def write_commands(folder: Path, processor: str = "cortex-a72") -> Path:
    """Fills ``folder``, which then is a whole PATH. Returns it."""
    python = f'#!/bin/sh\nexec {shlex.join(map(str, python_of_arm(processor)))} "$@"\n'
    return link_commands(folder, {"uname": UNAME, "python3": python, f"python{PYTHON}": python})


def link_commands(folder: Path, ours: Mapping[str, str]) -> Path:
    """Makes ``folder`` of this machine's commands, and of scripts that take their place.

    This machine's Pythons are not in it: a board must not be taken for what it is not.
    """
    folder.mkdir(parents=True)
    for name, text in ours.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    for system in (Path("/usr/bin"), Path("/bin")):
        for command in system.iterdir():
            link = folder / command.name
            if not command.name.startswith(("python", "pip")) and not link.exists():
                link.symlink_to(command)
    return folder
