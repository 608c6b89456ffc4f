"""pip of this Python, as a program: downloads wheels for a board, and builds ours."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable

from bdnet_devices.side_by_side import interruptible
from bdnet_runtime import InputError

# Words of pip and of the libraries below it that say that no index answered.
_UNREACHABLE = ("connection broken", "NewConnectionError", "Max retries exceeded", "timed out")
FEW = 6  # versions that a message names


class NoWheelError(InputError):
    """The index was reached and has no such package for this Python, machine and glibc."""


def pip(
    *arguments: str, env: dict[str, str] | None = None, tell: Callable[[str], None] | None = None
) -> None:
    """Runs pip with the user's own configuration.

    Args:
        env: the environment; by default this process's.
        tell: called with each line that pip writes.

    Raises:
        NoWheelError: there is no such package.
        InputError: anything else, in one sentence.
    """
    lines: list[str] = []
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    started = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=env,
    )
    with interruptible(started) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                lines.append(line.strip())
                if tell is not None:
                    tell(line)
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise _failure(lines)


def _failure(lines: list[str]) -> InputError:
    text = "\n".join(lines)
    if "No module named pip" in text:
        return InputError(
            f"{sys.executable} has no pip; add it with: {sys.executable} -m ensurepip"
        )
    if any(words in text for words in _UNREACHABLE):
        return InputError(
            "pip reached no package index; connect this machine to one, or configure pip for one "
            "that it reaches"
        )
    fitting = re.search(r"\(from versions: (.*)\)", text)
    if fitting is not None:
        versions = [version for version in fitting[1].split(", ") if "dev" not in version]
        if versions == ["none"]:
            return NoWheelError("no version fits")
        return NoWheelError(f"those that fit are {', '.join(versions[-FEW:])}")
    errors = [line for line in lines if line.startswith("ERROR: ")] or [*filter(None, lines)]
    return InputError(f"pip says: {errors[-1].removeprefix('ERROR: ') if errors else 'nothing'}")
