"""What the tests of devices share: a model, a cache, a server, and the processes that start."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import emulated_board, plain_models
from support.sshd import Sshd, running


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return plain_models.write(plain_models.conv_relu(), tmp_path / "model.onnx")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[str]]:
    """The processes that the device has started."""
    processes: list[subprocess.Popen[str]] = []

    class Recorded(subprocess.Popen[str]):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            processes.append(self)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    return processes


@pytest.fixture(scope="session", autouse=True)
def _cache() -> Iterator[None]:
    """What a board is given is made once for all tests, and not in the user's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(emulated_board.CACHE))
        yield


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    """A server that stands for a board; nothing may be left running on it."""
    with running(tmp_path / "board") as server:
        yield server
        server.wait_until_idle()
