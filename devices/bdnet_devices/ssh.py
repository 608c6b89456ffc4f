"""A board through the system's own OpenSSH, so that all of the user's configuration holds.

One connection a run: a master process, which ends when this process does, even by kill -9, and
clients that share it. Nothing here asks for a password or accepts a host key.
"""

from __future__ import annotations

import os
import select
import shlex
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from bdnet_devices import ssh_failures
from bdnet_devices.errors import DeviceError
from bdnet_devices.inventory import DeviceEntry
from bdnet_devices.side_by_side import interruptible
from bdnet_devices.supervisor import supervise

SSH_FAILED = 255
CONNECT_SECONDS = 10  # until there is an encrypted connection
READY_SECONDS = 30  # until a shell there has answered
ALIVE_SECONDS, ALIVE_COUNT = 5, 3  # after 15 s without an answer the connection is lost
READY = "bdnet-ready"
MAX_SOCKET_FOLDER = 60  # a socket's path may have about 100 bytes, and ssh appends to it


@dataclass(frozen=True)
class Completed:
    """How a command ended, and what it wrote."""

    status: int
    stdout: str
    stderr: str


class Connection:
    """A connection to one board, while the context lasts.

    Commands are POSIX sh, run by ``sh`` in the home folder there. Every failure is a
    `DeviceError`.

    Args:
        entry: the board.
        dry_run: called with each command that would change the board, which is then not run.
    """

    def __init__(self, entry: DeviceEntry, *, dry_run: Callable[[str], None] | None = None) -> None:
        self.entry = entry
        self.dry_run = dry_run
        self._master: subprocess.Popen[bytes] | None = None
        self._cleanup = ExitStack()

    @property
    def name(self) -> str:
        return self.entry.name

    def __enter__(self) -> Connection:
        try:
            self._open()
        except BaseException:
            self._cleanup.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._cleanup.close()

    def run(
        self,
        command: str,
        *,
        input: bytes | None = None,  # noqa: A002 - as subprocess.run calls it
        timeout: float = 30,
        check: bool = True,
    ) -> Completed:
        """Runs a command that reads, in a dry run as well. It ends with this process.

        Args:
            command: what `sh` runs.
            input: its standard input, whole; by default none.
            timeout: seconds; after them the command is ended.
            check: raise for a status other than 0.
        """
        # Standard input's end would end the command, so its own input is counted out.
        if input is None:
            line = f"exec </dev/null; {command}"
        else:
            line = f"head -c {len(input)} | sh -c {shlex.quote(command)}"
        process = self.popen(supervise(line))
        feeder = _Feeder(process, input or b"")
        try:
            out, errors = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self._require_alive()
            raise ssh_failures.explain_time_out(
                self.entry, timeout, ssh_failures.shorten(command)
            ) from None
        finally:
            process.kill()
            process.wait()
            feeder.close()
            for stream in (process.stdout, process.stderr):
                assert stream is not None
                stream.close()
        completed = Completed(
            process.returncode, out.decode(errors="replace"), errors.decode(errors="replace")
        )
        if completed.status > ssh_failures.SIGNALLED:
            self._require_alive(seconds=1)
        if check and completed.status != 0:
            raise ssh_failures.explain_command(
                self.entry, command, completed.status, completed.stderr
            )
        return completed

    def change(
        self,
        command: str,
        *,
        input: bytes | None = None,  # noqa: A002 - as subprocess.run calls it
        timeout: float = 30,
        check: bool = True,
    ) -> Completed:
        """`run` for a command that changes the board: in a dry run it is told and not run."""
        if self.dry_run is None:
            return self.run(command, input=input, timeout=timeout, check=check)
        self.dry_run(f"{self.entry.by_hand()} {shlex.quote(command)}")
        return Completed(0, "", "")

    def upload(
        self,
        source: Path,
        destination: str,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Puts a file there: whole and checked under its name, or not at all.

        It is streamed to ``destination.part``, from where an earlier ``.part`` of the same content
        ends; the SHA-256 there decides whether it gets its name. Folders are made.

        Args:
            progress: called with the bytes that are there and those of the file.
        """
        from bdnet_devices.upload import upload

        upload(self, source, destination, progress)

    def supervised(self, command: str) -> list[str]:
        """The argv of a local process that runs ``command`` there.

        What is written to its standard input reaches the command. When that ends, or the process
        does, the command and all its children are ended: after a second TERM, then KILL.
        """
        return self.client(supervise(command))

    def explain(self, status: int, errors: str) -> DeviceError | None:
        """What became of a process of `supervised` that ended so; None for the command's affair."""
        if status == SSH_FAILED:
            if self._lost(seconds=1):
                return ssh_failures.explain_loss(self.entry)
            return ssh_failures.explain_ssh(self.entry, errors)
        # A board that restarts ends what runs there, and then the connection.
        if status > ssh_failures.SIGNALLED and self._lost(seconds=1):
            return ssh_failures.explain_loss(self.entry)
        if status in (ssh_failures.NOT_FOUND, ssh_failures.CANNOT_RUN):
            return ssh_failures.explain_command(self.entry, "the command", status, errors)
        return None

    def client(self, line: str) -> list[str]:
        """The argv of a local process that gives ``line`` to the login shell there."""
        self._require_alive()
        return [*self._command("-o", "ControlMaster=no"), self.entry.host, line]

    def popen(self, line: str) -> subprocess.Popen[bytes]:
        """Starts `client`, all three streams pipes, out of Ctrl-C's reach: this process decides."""
        return interruptible(
            subprocess.Popen(
                self.client(line),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                env=_environment(),
            )
        )

    def _open(self) -> None:
        if shutil.which("ssh") is None:
            raise DeviceError(
                f"{self.name}: there is no 'ssh' on this machine; install OpenSSH's client "
                "(Debian: openssh-client), then run this again"
            )
        # Only this user may use the socket: mkdtemp's folder has mode 0700.
        parent = tempfile.gettempdir()
        parent = parent if len(parent) <= MAX_SOCKET_FOLDER else "/tmp"
        folder = tempfile.mkdtemp(prefix="bdnet-ssh-", dir=parent)
        self._cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
        self._socket = f"{folder}/s"
        # A file and not a pipe: nobody reads it while the master runs.
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - of the context of this class
        self._cleanup.callback(errors.close)
        # 'cat' ends with standard input, which ends with this process, and the master with it.
        self._master = subprocess.Popen(
            [
                *self._command("-M", "-o", "ControlPersist=no"),
                *(self.entry.host, f"echo {READY}; exec cat >/dev/null"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
            env=_environment(),
        )
        self._cleanup.callback(_end, self._master)
        interruptible(self._master)
        said = read_until(self._master, f"{READY}\n".encode(), READY_SECONDS)
        if said is None:
            if self._master.poll() is None:
                raise ssh_failures.explain_time_out(self.entry, READY_SECONDS, "connecting")
            errors.seek(0)
            raise ssh_failures.explain_ssh(self.entry, errors.read().decode(errors="replace"))
        if said:
            raise DeviceError(
                f"{self.name}: the start-up files of its shell print "
                f"{ssh_failures.shorten(said.decode(errors='replace'))!r}; let them be silent "
                "where no terminal is (as scp needs it, too), then run this again"
            )

    def _command(self, *options: str) -> list[str]:
        settings = {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "ConnectTimeout": CONNECT_SECONDS,
            "ServerAliveInterval": ALIVE_SECONDS,
            "ServerAliveCountMax": ALIVE_COUNT,
            "LogLevel": "INFO",  # failures are read from what ssh says
            # Of the user's configuration, what is meant for a person at a terminal.
            "RemoteCommand": "none",
            "PermitLocalCommand": "no",
            "ClearAllForwardings": "yes",
            "ForwardX11": "no",
        }
        command = ["ssh", "-T", "-S", self._socket, *options, *self.entry.ssh_options()]
        for key, value in settings.items():
            command += ["-o", f"{key}={value}"]
        return command

    def _lost(self, seconds: float = 0) -> bool:
        """Whether the master has ended; ``seconds`` for it to notice."""
        if self._master is None:
            return True
        with suppress(subprocess.TimeoutExpired):
            self._master.wait(seconds)
        return self._master.poll() is not None

    def _require_alive(self, seconds: float = 0) -> None:
        if self._lost(seconds):
            raise ssh_failures.explain_loss(self.entry)


class _Feeder:
    """Writes a process's input beside its output, and keeps standard input open after it."""

    def __init__(self, process: subprocess.Popen[bytes], data: bytes) -> None:
        assert process.stdin is not None
        self._stream, process.stdin = process.stdin, None  # communicate() would close it
        self._thread = threading.Thread(target=self._write, args=(data,), daemon=True)
        self._thread.start()

    def _write(self, data: bytes) -> None:
        with suppress(OSError):
            self._stream.write(data)
            self._stream.flush()

    def close(self) -> None:
        """When the process has ended: a write that waits for it fails then."""
        self._thread.join()
        with suppress(OSError):
            self._stream.close()


def _environment() -> dict[str, str]:
    """Also a jump host's ssh, which does not see BatchMode, must not open a window."""
    return {**os.environ, "SSH_ASKPASS_REQUIRE": "never"}


def read_until(process: subprocess.Popen[bytes], mark: bytes, seconds: float) -> bytes | None:
    """What the process writes before ``mark``; None when it ends or ``seconds`` pass first."""
    assert process.stdout is not None
    said, deadline = b"", time.monotonic() + seconds
    while not said.endswith(mark):
        readable, _, _ = select.select([process.stdout], [], [], deadline - time.monotonic())
        more = os.read(process.stdout.fileno(), 4096) if readable else b""
        if not more:
            if readable:
                process.wait()
            return None
        said += more
    return said.removesuffix(mark)


def _end(process: subprocess.Popen[bytes]) -> None:
    """By itself where it can: a master that is killed has no time to say good-bye."""
    for stream in (process.stdin, process.stdout):
        assert stream is not None
        with suppress(OSError):
            stream.close()
    for stop in (None, process.terminate, process.kill):
        if stop is not None:
            stop()
        with suppress(subprocess.TimeoutExpired):
            process.wait(2)
            return
