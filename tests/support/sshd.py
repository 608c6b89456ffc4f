"""A real OpenSSH server on loopback: what stands for a board in the tests.

Needs no rights. It has a host key, authorised keys, a home folder and a client's configuration of
its own; every process that it starts carries a mark in its environment, so a test can see what is
left of them.
"""

from __future__ import annotations

import getpass
import os
import random
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bdnet_devices.inventory import DeviceEntry
from support.tools import unavailable

MARK = "BDNET_TEST_BOARD"

# Runs the arguments behind the first where that file is seen as the boot id.
BOOTED = 'mount --bind "$1" /proc/sys/kernel/random/boot_id && shift && exec "$@"'


class Sshd:
    """A running server.

    Attributes:
        folder: all its files; ``folder/home`` is where commands start, and their HOME.
        port: on 127.0.0.1.
    """

    def __init__(self, folder: Path, lines: Sequence[str] = (), environment: str = "") -> None:
        """
        Args:
            folder: an empty one.
            lines: more lines of sshd_config.
            environment: more of ``SetEnv``, which sshd reads once: NAME=VALUE, blanks between.
        """
        found = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if found is None or shutil.which("ssh-keygen") is None:
            unavailable("sshd is not there (Debian: openssh-server and openssh-client)")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # sshd wants it when root starts it
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        self.make_key("host_key")
        self.make_key("user_key")
        (folder / "authorized_keys").write_text((folder / "user_key.pub").read_text())
        self.port = free_port()
        # ForceCommand, since the user's own home is no place for a test.
        settings = [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {folder}/host_key",
            f"AuthorizedKeysFile {folder}/authorized_keys",
            f"PidFile {folder}/sshd.pid",
            "UsePAM no",
            "StrictModes no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin prohibit-password",
            "Subsystem sftp internal-sftp",
            f"SetEnv {MARK}={folder} HOME={self.home} {environment}".rstrip(),
            f'ForceCommand cd "{self.home}" && exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"',
            *lines,
        ]
        (folder / "sshd_config").write_text("\n".join(settings) + "\n")
        self.config = folder / "client_config"
        self.config.write_text(
            "Host board\n"
            "  HostName 127.0.0.1\n"
            f"  Port {self.port}\n"
            f"  User {getpass.getuser()}\n"
            f"  IdentityFile {folder}/user_key\n"
            "  IdentitiesOnly yes\n"
            "  IdentityAgent none\n"
            f"  UserKnownHostsFile {folder}/known_hosts\n"
            "  GlobalKnownHostsFile /dev/null\n"
        )
        self.know((folder / "host_key.pub").read_text())
        self._sshd = [found, "-D", "-f", f"{folder}/sshd_config", "-E", f"{folder}/sshd.log"]
        self._command = self._sshd
        self.start()

    def entry(self, name: str = "board", **more: Any) -> DeviceEntry:
        return DeviceEntry(name, "board", ssh_config=str(self.config), **more)

    def make_key(self, name: str) -> Path:
        """A new key pair in the folder; the public half of it."""
        key = self.folder / name
        key.unlink(missing_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        return key.with_suffix(".pub")

    def know(self, public_key: str | None) -> None:
        """Makes ``public_key`` the one that the client knows; None: it knows none."""
        line = "" if public_key is None else f"[127.0.0.1]:{self.port} {public_key}"
        (self.folder / "known_hosts").write_text(line)

    def start(self) -> None:
        # Written when it listens. That somebody does would not say that it is this one.
        listens = self.folder / "sshd.pid"
        listens.unlink(missing_ok=True)
        self._server = subprocess.Popen(self._command)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self._server.poll() is None:
            if listens.exists():
                return
            time.sleep(0.02)
        self._server.kill()
        self._server.wait()
        log = (self.folder / "sshd.log").read_text()
        raise RuntimeError(f"sshd did not start: {log}")

    def stop(self) -> None:
        """The server, its connections, and what it started."""
        self.thaw()
        self.cut()
        self._server.terminate()
        self._server.wait()
        for process in self.processes():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def restart(self) -> None:
        """Reads its configuration again."""
        self._server.terminate()
        self._server.wait()
        self.start()

    def reboot(self) -> str:
        """As a board that loses its power and starts again: nothing of what ran is left.

        Returns:
            Its boot id, which is another one.
        """
        boot_id = str(uuid.uuid4())
        shown = self.folder / "boot_id"
        shown.write_text(f"{boot_id}\n")
        # In a namespace of its own: only this board has restarted.
        booted = ["unshare", "--mount", "sh", "-c", BOOTED, "sh", str(shown)]
        if subprocess.run([*booted, "true"], capture_output=True).returncode != 0:
            unavailable("a board cannot be given another boot id: that needs root and util-linux")
        self._signal(self.processes(), signal.SIGKILL)
        self.cut()
        self._server.kill()
        self._server.wait()
        self._signal(self.processes(), signal.SIGKILL)
        self._command = [*booted, *self._sshd]
        self.start()
        return boot_id

    def cut(self) -> None:
        """Ends every connection at once; new ones are accepted."""
        self._signal(self._connections(), signal.SIGKILL)

    def freeze(self) -> None:
        """Nothing of it answers any more, and nothing is closed."""
        self._signal([self._server.pid, *self._connections()], signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal([self._server.pid, *self._connections()], signal.SIGCONT)

    def processes(self) -> list[int]:
        """All that runs on this board, however it came to run: found by the mark."""
        return processes_with(MARK, self.folder)

    def commands(self) -> list[str]:
        """The command lines of `processes`."""
        lines = []
        for process in self.processes():
            with suppress(OSError):
                raw = Path(f"/proc/{process}/cmdline").read_bytes()
                lines.append(raw.replace(b"\0", b" ").decode().strip())
        return lines

    def wait_until_idle(self, seconds: float = 10) -> None:
        """Fails where something still runs there after ``seconds``."""
        deadline = time.monotonic() + seconds
        while left := self.commands():
            assert time.monotonic() < deadline, f"left running on the board: {left}"
            time.sleep(0.05)

    def _connections(self) -> list[int]:
        """Processes of sshd for a connection: its children and theirs, not the sessions'."""
        parents: dict[int, int] = {}
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                stat = (entry / "stat").read_text()
                if "(sshd" in stat:
                    parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
        found, level = [], [self._server.pid]
        while level:
            level = [pid for pid, parent in parents.items() if parent in level]
            found += level
        return found

    @staticmethod
    def _signal(processes: list[int], number: int) -> None:
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, number)


def processes_with(name: str, value: object) -> list[int]:
    """The processes whose environment has this variable."""
    mark = f"{name}={value}\0".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (entry / "environ").read_bytes():
                found.append(int(entry.name))
    return found


def free_port() -> int:
    """Below those that the system gives away by itself, where nobody takes it meanwhile."""
    while True:
        port = random.randrange(20_000, 32_000)
        with suppress(OSError), socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
            return port


@contextmanager
def running(folder: Path, lines: Sequence[str] = (), environment: str = "") -> Iterator[Sshd]:
    """A server while the context lasts."""
    server = Sshd(folder, lines, environment)
    try:
        yield server
    finally:
        server.stop()
