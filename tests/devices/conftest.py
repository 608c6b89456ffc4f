"""What the tests of the device local share: a small model, and the processes it starts."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import plain_models
from support.sshd import Sshd, running


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return plain_models.write(plain_models.conv_relu(), tmp_path / "model.onnx")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[str]]:
    """The processes that the device has started."""
    processes: list[subprocess.Popen[str]] = []

    class Recorded(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *args: object, **options: object) -> None:
            super().__init__(*args, **options)  # type: ignore[call-overload]
            processes.append(self)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    return processes


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    """A server that stands for a board; nothing may be left running on it."""
    with running(tmp_path / "board") as server:
        yield server
        server.wait_until_idle()
