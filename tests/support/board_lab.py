"""A board of this machine's processor, and a folder with an inventory in which users type."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support import emulated_board
from support.sshd import Sshd
from support.terminal import Terminal
from support.tools import unavailable

COMMAND = [sys.executable, "-m", "bdnet_export.cli.main"]
CLIENT = "BDNET_TEST_CLIENT"

# Writes slowly what is uploaded while there is a file 'slow' in the home folder.
CAT = """#!/bin/sh
case $(readlink /proc/$$/fd/1) in
  *.part)
    [ ! -e "$HOME/slow" ] || while head -c 65536 >"$HOME/chunk" && [ -s "$HOME/chunk" ]; do
      /bin/cat "$HOME/chunk"
      sleep 0.1
    done ;;
esac
exec /bin/cat "$@"
"""


class Lab:
    """A folder to work in, an inventory in it, and a board that is called ``pi`` there."""

    def __init__(self, folder: Path, server: Sshd) -> None:
        self.folder, self.server = folder, server
        self.environment = {
            **os.environ,
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_CACHE_HOME": str(emulated_board.CACHE),
            CLIENT: str(folder),
        }

    def add(self, name: str, *more: object) -> None:
        config = ("--ssh-config", self.server.config)
        python = ("--python", python_of_board()) if "--python" not in more else ()
        self.run("devices", "add", name, "board", *config, *python, *more)

    def run(self, *arguments: object, status: int = 0) -> subprocess.CompletedProcess[str]:
        finished = subprocess.run(
            [*COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=900,  # the first deployment compiles, on a machine that has other work
        )
        assert finished.returncode == status, finished.stdout + finished.stderr
        return finished

    def type(self, *arguments: object) -> Terminal:
        """Types a command into a terminal."""
        return Terminal([*COMMAND, *map(str, arguments)], self.folder, self.environment)

    def model(self, name: str) -> str:
        """A file of 8 MB that no board has: nobody looks into it while it is deployed."""
        (self.folder / name).write_bytes(os.urandom(8_000_000))
        return name

    @contextmanager
    def slow_disk(self) -> Iterator[None]:
        slow = self.server.home / "slow"
        slow.touch()
        yield
        slow.unlink()

    def part(self, name: str) -> int:
        """How many bytes of a file are there, under a name that says that these are not all."""
        store = self.server.home / ".bdnet" / "files"
        return sum(path.stat().st_size for path in store.glob(f"*/{name}.part"))

    def require_whole_files(self) -> None:
        """What has a final name has the content that this name says."""
        for path in (self.server.home / ".bdnet" / "files").glob("*/*"):
            if path.suffix != ".part":
                assert hashlib.sha256(path.read_bytes()).hexdigest() == path.parent.name
        packages = self.server.home / ".bdnet" / "packages"
        assert all(path.suffix == "" for path in packages.iterdir())


def python_of_board(newest: tuple[int, int] = (3, 13)) -> str:
    """A Python of this machine that a board may have: not that of a virtual environment."""
    version = sys.version_info[:2]
    own = Path(sys.base_prefix, "bin", "python{}.{}".format(*version))
    if version <= newest and own.is_file():
        return str(own)
    for minor in range(newest[1], 9, -1):
        found = shutil.which(f"python3.{minor}", path="/usr/bin:/usr/local/bin")
        if found is not None:
            return found
    return unavailable("there is no Python 3.10 to {}.{} on this machine".format(*newest))
