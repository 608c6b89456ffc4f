"""One run at a time holds a board: two at once would measure each other.

The lock is the kernel's, on a file there (flock), so it goes with the process that holds it and
with a restart of the board. A run whose client was cut off from the network leaves a process there
that nobody told: it has to hear from its client, and who comes later ends that connection.
"""

from __future__ import annotations

import getpass
import shlex
import socket
import subprocess
import threading
from contextlib import suppress
from types import TracebackType

from bdnet_devices.errors import DeviceError
from bdnet_devices.ssh import Connection, read_until
from bdnet_devices.ssh_failures import NOT_FOUND, explain_command
from bdnet_devices.supervisor import supervise

BEAT_SECONDS, STALE_SECONDS = 10, 60
ANSWER_SECONDS = 40
HELD = "held"

# Arguments: the folder, the owner. Times are /proc/uptime's, which no clock that is set changes.
_SCRIPT = f"""
command -v flock >/dev/null || {{ echo "flock: not found" >&2; exit {NOT_FOUND}; }}
mkdir -p -- "$1" && exec 9<>"$1/lock" || exit 1
uptime() {{ read -r up rest </proc/uptime; up=${{up%.*}}; }}
uptime
read -r boot </proc/sys/kernel/random/boot_id
if ! flock -n 9; then
  beat=$up
  {{ read -r owner; read -r start; read -r its_boot; read -r its_pid; read -r sshd; }} <"$1/lock"
  read -r beat <"$1/lock.alive" || beat=$up
  if [ -n "$sshd" ] && [ "$its_boot" = "$boot" ] && [ $((up - beat)) -gt {STALE_SECONDS} ]; then
    kill -s TERM "$sshd"
    flock -w 10 9 || {{ echo "$((up - start)) $owner"; exit 0; }}
  else
    echo "$((up - ${{start:-$up}})) $owner"; exit 0
  fi
fi
p=$$
while [ "$p" -gt 1 ]; do
  read -r name <"/proc/$p/comm"
  case $name in sshd*) break;; esac
  p=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$p/status")
done
[ "$p" -gt 1 ] || p=
printf '%s\\n' "$2" "$up" "$boot" $$ "$p" >"$1/lock"
echo "$up" >"$1/lock.alive"
echo {HELD}
while read -r beat; do uptime; echo "$up" >"$1/lock.alive"; done 2>/dev/null
: >"$1/lock"; rm -f "$1/lock.alive"
"""


class Lock:
    """Holds the board while the context lasts. In a dry run nothing is held.

    Args:
        connection: an open one.
        owner: who others are told that holds it; by default user@host.

    Raises:
        DeviceError: somebody else holds it; who, and for how long.
    """

    def __init__(self, connection: Connection, owner: str | None = None) -> None:
        self._connection = connection
        self._owner = owner or f"{getpass.getuser()}@{socket.gethostname()}"
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = threading.Event()

    def __enter__(self) -> Lock:
        connection, name = self._connection, self._connection.name
        if connection.dry_run is not None:
            return self
        folder = connection.entry.folder
        command = shlex.join(["sh", "-c", _SCRIPT, "sh", folder, self._owner])
        self._process = connection.popen(supervise(command))
        try:
            said = read_until(self._process, b"\n", ANSWER_SECONDS)
            if said is None:
                self._process.kill()
                _, errors = self._process.communicate()
                text = errors.decode(errors="replace")
                status = self._process.returncode
                raise connection.explain(status, text) or explain_command(
                    connection.entry, "locking the board", status, text
                )
            answer = said.decode(errors="replace")
            if answer != HELD:
                seconds, _, owner = answer.partition(" ")
                raise DeviceError(
                    f"{name}: {owner or 'somebody'} has been using it for {_age(int(seconds))}; "
                    "wait for the end of that run, then run this again"
                )
        except BaseException:
            self._end()
            raise
        threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _beat(self) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        while not self._ended.wait(BEAT_SECONDS):
            with suppress(OSError, ValueError):
                self._process.stdin.write(b"\n")
                self._process.stdin.flush()

    def _end(self) -> None:
        self._ended.set()
        process = self._process
        if process is None:
            return
        for stream in (process.stdin, process.stdout, process.stderr):
            with suppress(OSError):
                if stream is not None:
                    stream.close()
        # It ends with its input; where the network is gone, nobody would say so.
        with suppress(subprocess.TimeoutExpired):
            process.wait(3)
        process.kill()
        process.wait()


def _age(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"
