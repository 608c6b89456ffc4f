"""One run at a time on a board.

The lock is a folder beside the board's own, made and removed by a process there that ends with the
connection. It says who holds it, since when, and by which process in which start of the board; so
one that was left behind, by a power cut say, is known for what it is.
"""

from __future__ import annotations

import shlex
import subprocess
from types import TracebackType

from bdnet_devices.errors import DeviceError
from bdnet_devices.ssh import Connection

SECONDS = 30.0

# Arguments: the lock, the owner. Answers 'held', or 'busy<TAB>owner<TAB>age in seconds'.
SCRIPT = r"""
lock=$1 owner=$2
boot=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null || echo unknown)
alive() { [ "$3" = "$boot" ] && kill -s 0 "$2" 2>/dev/null; }
take() {
  mkdir -p "$(dirname "$lock")" || exit 1
  mkdir "$lock" 2>/dev/null || return 1
  printf '%s\t%s\t%s\t%s\n' "$(date +%s)" $$ "$boot" "$owner" > "$lock/owner.part" &&
    mv "$lock/owner.part" "$lock/owner" || { rm -rf "$lock"; exit 1; }
}
if ! take; then
  i=0  # whoever has just made the folder needs a moment to sign it
  while [ ! -f "$lock/owner" ] && [ $i -lt 3 ]; do sleep 1; i=$((i + 1)); done
  IFS="$(printf '\t')" read -r since pid other name < "$lock/owner" 2>/dev/null
  if alive "$since" "${pid:-0}" "$other"; then
    printf 'busy\t%s\t%s\n' "$name" $(($(date +%s) - since)); exit 0
  fi
  rm -rf "$lock"
  take || { printf 'busy\t%s\t0\n' 'another run'; exit 0; }
fi
trap 'rm -rf "$lock"' EXIT
trap 'exit 0' HUP INT TERM
echo held
cat >/dev/null
"""


class Lock:
    """Holds a board while the context lasts.

    Args:
        connection: to the board, open for as long.
        owner: what whoever comes second is told.
    """

    def __init__(self, connection: Connection, owner: str) -> None:
        self._connection = connection
        self._owner = owner
        self._holder: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Lock:
        """Raises `DeviceError` where another run holds the board."""
        connection = self._connection
        lock = f"{connection.entry.folder}/lock"
        command = shlex.join(["sh", "-c", SCRIPT, "sh", lock, self._owner])
        self._holder = connection.popen_supervised(command)
        try:
            answer = _answer(self._holder)
            if answer == "held":
                return self
            kind, _, rest = answer.partition("\t")
            if kind == "busy":
                owner, _, age = rest.partition("\t")
                raise DeviceError(
                    f"{connection.name}: another run holds it: {owner}, for {_duration(int(age))}; "
                    "wait until that has ended, then run this again"
                )
            raise DeviceError(
                f"{connection.name}: {connection.entry.folder} cannot be made there for the lock; "
                "name another folder in the inventory, or see the board's disk and its rights"
            )
        except BaseException:
            self._end()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        holder = self._holder
        if holder is None:
            return
        # Its input's end is its order to remove the lock; it is waited for, so that the next run
        # finds none.
        for stream in (holder.stdin, holder.stdout, holder.stderr):
            if stream is not None:
                stream.close()
        try:
            holder.wait(SECONDS)
        except subprocess.TimeoutExpired:
            holder.kill()
            holder.wait()


def _answer(holder: subprocess.Popen[bytes]) -> str:
    assert holder.stdout is not None
    return holder.stdout.readline().decode(errors="replace").rstrip("\n")


def _duration(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} s"
    minutes = seconds // 60
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
