"""A file to a board: streamed, resumed, checked, and only then named."""

from __future__ import annotations

import hashlib
import shlex
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from bdnet_devices import ssh_failures
from bdnet_devices.errors import DeviceError
from bdnet_devices.side_by_side import interruptible

if TYPE_CHECKING:
    from bdnet_devices.ssh import Connection

CHUNK = 1 << 16
HASH_SECONDS = 600  # a large file on a slow card
_HASH_IN_PYTHON = (
    "import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], 'rb').read()).hexdigest())"
)


def upload(
    connection: Connection,
    source: Path,
    destination: str,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """See `Connection.upload`."""
    data = source.read_bytes()
    size, digest = len(data), hashlib.sha256(data).hexdigest()
    tell = progress or (lambda done, total: None)
    part = f"{destination}.part"
    if connection.dry_run is not None:
        shown = f"{connection.entry.by_hand()} {shlex.quote(f'cat > {shlex.quote(destination)}')}"
        connection.dry_run(f"{shown} < {shlex.quote(str(source))}  # {size:,} bytes")
        return

    hash_command = _hash_command(connection)
    start = _resume_at(connection, hash_command, part, data)
    folder = shlex.quote(str(PurePosixPath(destination).parent))
    connection.change(f"mkdir -p -- {folder}")
    tell(start, size)
    _stream(connection, memoryview(data)[start:], part, append=start > 0, tell=tell, start=start)
    found = connection.run(f"{hash_command} {shlex.quote(part)}", timeout=HASH_SECONDS).stdout[:64]
    if found != digest:
        connection.change(f"rm -f -- {shlex.quote(part)}")
        raise DeviceError(
            f"{connection.name}: {source.name} arrived with the SHA-256 {found[:12]} in place of "
            f"{digest[:12]} and was removed there; run this again, and when it stays so, test the "
            "board's disk and memory"
        )
    # On the disk before it has its name: a power cut then leaves no empty file under it.
    quoted = shlex.quote(part)
    connection.change(
        f"{{ sync {quoted} 2>/dev/null || sync; }}; mv -f -- {quoted} {shlex.quote(destination)}",
        timeout=HASH_SECONDS,
    )


def _hash_command(connection: Connection) -> str:
    """What makes a SHA-256 there; its first word of output is the digest."""
    python = shlex.quote(connection.entry.python or "python3")
    script = shlex.quote(_HASH_IN_PYTHON)
    found = connection.run(
        "if command -v sha256sum; then :; elif command -v busybox; then :; "
        f"elif command -v {python}; then :; fi"
    ).stdout.strip()
    if not found:
        raise DeviceError(
            f"{connection.name}: it has neither sha256sum nor busybox nor Python, so that nothing "
            "sent there can be checked; install one of them (Debian: coreutils)"
        )
    tool = PurePosixPath(found).name
    if tool == "sha256sum":
        return "sha256sum <"
    return "busybox sha256sum <" if tool == "busybox" else f"{python} -c {script}"


def _resume_at(connection: Connection, hash_command: str, part: str, data: bytes) -> int:
    """How many bytes of ``data`` are in ``part`` there: 0 where it holds anything else."""
    quoted = shlex.quote(part)
    told = connection.run(
        f"if [ -s {quoted} ]; then wc -c < {quoted}; {hash_command} {quoted}; fi",
        timeout=HASH_SECONDS,
    ).stdout.split()
    if not told or int(told[0]) > len(data):
        return 0
    there = int(told[0])
    return there if hashlib.sha256(data[:there]).hexdigest() == told[1] else 0


def _stream(
    connection: Connection,
    data: memoryview,
    part: str,
    *,
    append: bool,
    tell: Callable[[int, int], None],
    start: int,
) -> None:
    """Writes ``data`` into ``part``; what had arrived when it fails stays there, to be resumed."""
    size = start + len(data)
    script = f"cat {'>>' if append else '>'} {shlex.quote(part)}"
    # 'cat' ends with its input, so it needs no supervisor.
    with tempfile.TemporaryFile() as errors:
        process = interruptible(
            subprocess.Popen(
                connection.client(shlex.join(["sh", "-c", script])),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )
        )
        assert process.stdin is not None
        try:
            with suppress(BrokenPipeError):  # the status says why
                for position in range(0, len(data), CHUNK):
                    process.stdin.write(data[position : position + CHUNK])
                    tell(start + min(position + CHUNK, len(data)), size)
            with suppress(BrokenPipeError):
                process.stdin.close()
            status = process.wait()
        finally:
            process.kill()
            process.wait()
            with suppress(BrokenPipeError):
                process.stdin.close()
        errors.seek(0)
        said = errors.read().decode(errors="replace")
    if status == 0:
        return
    if "No space left on device" in said:
        connection.run(f"rm -f -- {shlex.quote(part)}")  # it would only fill the disk
    lost = connection.explain(status, said)
    raise lost or ssh_failures.explain_command(connection.entry, script, status, said)
