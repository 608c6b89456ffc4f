"""``python -m bdnet_runtime``, which is what the runtime image starts."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import bdnet_runtime


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "bdnet_runtime", *arguments)
    return subprocess.run(command, capture_output=True, text=True)


def test_info() -> None:
    assert json.loads(run("info").stdout) == bdnet_runtime.info()


@pytest.mark.parametrize("command", ["bench", "verify", "monitor"])
def test_each_command_explains_itself(command: str) -> None:
    done = run(command, "--help")
    assert done.returncode == 0
    assert "usage" in done.stdout
    assert f"\n  {command} " in run("--help").stdout


@pytest.mark.parametrize("arguments", [("bnech",), ("info", "more")])
def test_another_command_is_one_sentence(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr == (
        f"{' '.join(arguments)!r} is no command; expected one of bench, verify, monitor, info\n"
    )
