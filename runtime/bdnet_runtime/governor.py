"""The governor, set while a context lasts."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bdnet_runtime.conditions import governor_files
from bdnet_runtime.errors import InputError

SUDO_SECONDS = 5.0


@contextmanager
def governor(name: str | None, root: Path = Path("/")) -> Iterator[None]:
    """Sets the governor of all cores, and at the end what each was before.

    Args:
        name: such as "performance"; None leaves it alone.
        root: where ``sys`` is.

    Raises:
        InputError: the machine has none, not this one, or this user may not set it.
    """
    if name is None:
        yield
        return
    files = governor_files(root)
    if not files:
        raise InputError(
            f"the governor cannot be set to {name!r}: this machine shows none; leave --governor out"
        )
    before = {path: path.read_text().strip() for path in files}
    known = files[0].with_name("scaling_available_governors")
    offered = known.read_text().split() if known.is_file() else [name]
    if name not in offered:
        raise InputError(
            f"there is no governor {name!r} here; expected one of {', '.join(offered)}"
        )
    try:
        for path in files:
            _write(path, name)
        yield
    finally:
        for path, value in before.items():
            # One that cannot be restored could not be changed either.
            with suppress(InputError):
                if path.read_text().strip() != value:
                    _write(path, value)


def _write(path: Path, value: str) -> None:
    try:
        path.write_text(value)
        return
    except OSError:
        pass
    # Many boards let their first user do so without a password; none is asked for.
    try:
        done = subprocess.run(
            ["sudo", "-n", "tee", str(path)],
            input=value,
            text=True,
            capture_output=True,
            timeout=SUDO_SECONDS,
        )
        if done.returncode == 0:
            return
    except (OSError, subprocess.TimeoutExpired):
        pass
    raise InputError(
        f"this user may not set the governor; set it by hand on the device ('echo {value} | sudo "
        f"tee {path.parent.parent}/policy*/scaling_governor') or leave --governor out"
    )
