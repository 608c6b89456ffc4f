"""What a board is given, in one folder there, each thing under the SHA-256 of its content.

Nothing is sent twice, nothing is installed system-wide, and the board needs neither pip nor the
network: a wheel is unpacked by the board's own Python. Names without ``.part`` are complete.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

from bdnet_devices.board_python import BoardPython, find_python
from bdnet_devices.device import Progress
from bdnet_devices.errors import DeviceError
from bdnet_devices.packages import lite_wheels, parse_pins, runtime_wheels
from bdnet_devices.probe import Facts
from bdnet_devices.ssh import Connection
from bdnet_devices.ssh_failures import explain_command
from bdnet_runtime import InputError

MINUTES = 60.0
UNPACKING = 15 * MINUTES  # a slow card, ten times over

# Arguments: the folder of the packages, and the digests of the wheels that lie there.
UNPACK = """
import os, shutil, sys, zipfile
folder, digests = sys.argv[1], sys.argv[2:]
try:
    for digest in digests:
        part = os.path.join(folder, digest + ".part")
        shutil.rmtree(part, ignore_errors=True)
        with zipfile.ZipFile(os.path.join(folder, digest + ".whl")) as wheel:
            wheel.extractall(part)
    os.sync()  # a board that loses its power must not find empty files under a final name
    for digest in digests:
        os.rename(os.path.join(folder, digest + ".part"), os.path.join(folder, digest))
        os.remove(os.path.join(folder, digest + ".whl"))
except (OSError, zipfile.BadZipFile) as error:
    for digest in digests:
        shutil.rmtree(os.path.join(folder, digest + ".part"), ignore_errors=True)
    sys.exit(str(error))
"""

DIGEST = "[0-9a-f]" * 64  # as a pattern of the shell


class Deployer:
    """Puts packages and files on a board and says how they are reached there.

    Args:
        connection: to the board; in a dry run nothing there is changed.
        facts: what `probe` found.
        own: bdnet's wheel for the board, where it cannot be built (see `own_wheel`).
        progress: called with the stage and the fraction of it that is done.

    Attributes:
        sent_bytes: of the files that had to be sent so far.
    """

    def __init__(
        self,
        connection: Connection,
        facts: Facts,
        *,
        own: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._connection = connection
        self._facts = facts
        self._own = own
        self._progress: Progress = progress or (lambda stage, fraction: None)
        self._entry = connection.entry
        # An absolute folder stays what it is.
        self._folder = PurePosixPath(facts.home or "/", self._entry.folder)
        self.sent_bytes = 0

    @cached_property
    def _python(self) -> tuple[str, BoardPython]:
        return find_python(self._connection, self._facts)

    def runtime(self) -> list[str]:
        """Installs what is missing of numpy, ONNX Runtime and bdnet_runtime.

        Returns:
            How a command begins that starts the board's Python with them.

        Raises:
            DeviceError: the board has no Python that could have them, or the transfer failed.
        """
        return self._install(runtime_wheels)

    def lite_runtime(self) -> list[str]:
        """As `runtime`, with LiteRT or TensorFlow Lite as well, to measure .tflite files."""
        return self._install(lite_wheels)

    def file(self, path: Path) -> str:
        """Sends a file unless the board has it. Returns its path there."""
        digest = _sha256(path)
        there = self._folder / "files" / digest / path.name
        if self._connection.run(f"test -f {_quote(there)}", check=False).status != 0:
            self._upload(path, there)
        return str(there)

    def clean(self) -> int:
        """Removes all that was ever deployed, and the folder if nothing else is in it.

        Returns:
            The bytes that it had on the board's disk.
        """
        folder = _quote(self._folder)
        ours = f"{folder}/packages/{DIGEST}* {folder}/files/{DIGEST}*"
        used = self._connection.run(f"du -sk {ours} 2>/dev/null", check=False, timeout=UNPACKING)
        # What else somebody keeps in these folders is theirs. The lock, held now, goes with them.
        self._connection.change(
            f"rm -rf {ours} {folder}/lock {folder}/lock.alive; "
            f"rmdir {folder}/packages {folder}/files {folder} 2>/dev/null; true",
            timeout=UNPACKING,
        )
        return sum(int(line.split()[0]) * 1024 for line in used.stdout.splitlines())

    def _install(self, wheels_for: Callable[..., list[Path]]) -> list[str]:
        command, python = self._python
        try:
            pins = parse_pins(self._entry.packages)
            wheels = wheels_for(python, pins, self._progress, self._own)
        except InputError as error:
            raise DeviceError(f"{self._connection.name}: {error}") from None
        folder = self._folder / "packages"
        digests = {_sha256(wheel): wheel for wheel in wheels}
        listed = self._connection.run(f"ls {_quote(folder)} 2>/dev/null", check=False)
        there = set(listed.stdout.split())
        missing = [digest for digest in digests if digest not in there]
        for digest in missing:
            if f"{digest}.whl" not in there:  # sent, and cut before it was unpacked
                self._upload(digests[digest], folder / f"{digest}.whl")
        if missing:
            self._unpack(command, folder, missing)
        path = ":".join(str(folder / digest) for digest in digests)
        # A numpy.py in the folder where the command starts must not be taken for numpy.
        return ["env", f"PYTHONPATH={path}", "PYTHONSAFEPATH=1", "PYTHONNOUSERSITE=1", command]

    def _unpack(self, command: str, folder: PurePosixPath, digests: Sequence[str]) -> None:
        self._progress("unpacking", 0.0)
        done = self._connection.change(
            shlex.join([command, "-c", UNPACK, str(folder), *digests]),
            timeout=UNPACKING,
            check=False,
        )
        if done.status != 0:
            raise explain_command(self._connection.entry, "unpacking", done.status, done.stderr)

    def _upload(self, path: Path, there: PurePosixPath) -> None:
        size = path.stat().st_size
        stage = f"sending {path.name} ({size / 1e6:.3g} MB)"
        self._progress(stage, 0.0)
        self._connection.upload(
            path,
            str(there),
            lambda done, of: self._progress(stage, done / of if of else 1.0),
        )
        self.sent_bytes += size


def _quote(path: PurePosixPath) -> str:
    return shlex.quote(str(path))


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
