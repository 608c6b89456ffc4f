"""What is put on a board, over a real sshd: once, whole or not at all, and taken away again."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bdnet_devices.deployment import Deployer
from bdnet_devices.errors import DeviceError
from bdnet_devices.inventory import DeviceEntry
from bdnet_devices.probe import Facts, probe
from bdnet_devices.ssh import Connection
from support.emulated_board import ENVIRONMENT, PINS, write_commands
from support.sshd import Sshd, running
from support.tools import unavailable

MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """An emulated aarch64 board."""
    folder = tmp_path_factory.mktemp("board")
    commands = write_commands(folder / "commands")
    environment = {**ENVIRONMENT, "PATH": str(commands)}
    variables = " ".join(f"{name}={value}" for name, value in environment.items())
    with running(folder / "sshd", environment=variables) as server:
        yield server


@pytest.fixture
def entry(board: Sshd, tmp_path: Path) -> DeviceEntry:
    """The board with an empty folder of this test."""
    return board.entry("pi5", folder=str(tmp_path / "bdnet"), packages=PINS)


@pytest.fixture(scope="module")
def facts(board: Sshd) -> Facts:
    with Connection(board.entry()) as connection:
        return probe(connection)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    file = tmp_path / "model.onnx"
    file.write_bytes(os.urandom(8 * MEGABYTE))
    return file


class Stages:
    """What a Deployer tells of its progress."""

    def __init__(self) -> None:
        self.told: list[tuple[str, float]] = []

    def __call__(self, stage: str, fraction: float) -> None:
        self.told.append((stage, fraction))

    def sent(self) -> set[str]:
        """The names of the files that were sent, without their versions."""
        sending = [stage.split() for stage, _ in self.told if stage.startswith("sending ")]
        return {words[1].split("-")[0] for words in sending}


def files(folder: Path) -> list[str]:
    """What lies in the folder of a board, without the digests."""
    return sorted(
        "/".join(part for part in path.relative_to(folder).parts if len(part) < 64)
        for path in folder.rglob("*")
        if path.is_file()
    )


def test_it_is_an_arm_board(facts: Facts) -> None:
    assert facts.machine == "aarch64"


def test_the_runtime_is_installed_once_and_runs_there(entry: DeviceEntry, facts: Facts) -> None:
    show = "import bdnet_runtime, json; print(json.dumps(bdnet_runtime.info()))"
    with Connection(entry) as connection:
        first = Stages()
        command = Deployer(connection, facts, progress=first).runtime()
        assert first.sent() == {"bdnet", "onnxruntime", "numpy"}
        found = connection.run(shlex.join([*command, "-c", show]), timeout=120).stdout
        assert '"isa": "neon"' in found
        assert '"onnxruntime": "1.27.0"' in found
        assert entry.folder in found

        again = Stages()
        assert Deployer(connection, facts, progress=again).runtime() == command
        assert again.sent() == set()

        lite = Stages()
        command = Deployer(connection, facts, progress=lite).lite_runtime()
        assert lite.sent() == {"ai_edge_litert"}
        show = "import bdnet_runtime; from ai_edge_litert.interpreter import Interpreter"
        connection.run(shlex.join([*command, "-c", show]), timeout=120)

        folder = Path(entry.folder)
        assert {path.name for path in folder.iterdir()} == {"packages"}
        assert all(path.suffix == "" for path in (folder / "packages").iterdir())
        # Somebody else's, which clean must leave.
        theirs = folder / "packages" / "notes.txt"
        theirs.write_text("mine")
        freed = Deployer(connection, facts).clean()
        assert freed > 50 * MEGABYTE
        assert files(folder) == ["packages/notes.txt"]
        theirs.unlink()
        assert Deployer(connection, facts).clean() == 0
        assert not folder.exists()


def test_a_file_is_sent_once(entry: DeviceEntry, facts: Facts, large: Path) -> None:
    with Connection(entry) as connection:
        deployer = Deployer(connection, facts)
        there = deployer.file(large)
        assert Path(there).read_bytes() == large.read_bytes()
        assert deployer.sent_bytes == 8 * MEGABYTE
        assert deployer.file(large) == there
        assert deployer.sent_bytes == 8 * MEGABYTE
        large.write_bytes(b"another model of the same name")
        assert deployer.file(large) != there
        assert Path(there).stat().st_size == 8 * MEGABYTE


def test_a_dry_run_changes_nothing(entry: DeviceEntry, facts: Facts, large: Path) -> None:
    told: list[str] = []
    with Connection(entry, dry_run=told.append) as connection:
        deployer = Deployer(connection, facts)
        deployer.runtime()
        deployer.file(large)
        deployer.clean()
    assert not Path(entry.folder).exists()
    for words in ("bdnet-", "onnxruntime-", "numpy-", "zipfile", "model.onnx", "rm -rf"):
        assert any(words in command for command in told), words


def test_a_cut_in_the_middle_is_resumed(
    board: Sshd, entry: DeviceEntry, facts: Facts, large: Path
) -> None:
    def cut(stage: str, fraction: float) -> None:
        if fraction > 0.5:
            board.cut()

    with (
        pytest.raises(DeviceError, match=r"^pi5: the connection was lost"),
        Connection(entry) as connection,
    ):
        Deployer(connection, facts, progress=cut).file(large)
    board.wait_until_idle()
    assert files(Path(entry.folder)) == ["files/model.onnx.part"]

    stages = Stages()
    with Connection(entry) as connection:
        there = Deployer(connection, facts, progress=stages).file(large)
    assert Path(there).read_bytes() == large.read_bytes()
    assert files(Path(entry.folder)) == ["files/model.onnx"]
    began = next(fraction for _, fraction in stages.told if fraction > 0)
    assert began > 0.1


def test_a_cut_while_wheels_are_sent_is_resumed(
    board: Sshd, entry: DeviceEntry, facts: Facts
) -> None:
    def cut(stage: str, fraction: float) -> None:
        if "onnxruntime" in stage and fraction > 0.5:
            board.cut()

    with (
        pytest.raises(DeviceError, match=r"^pi5: the connection was lost"),
        Connection(entry) as connection,
    ):
        Deployer(connection, facts, progress=cut).runtime()
    board.wait_until_idle()
    packages = Path(entry.folder) / "packages"
    assert {path.suffix for path in packages.iterdir()} == {".whl", ".part"}

    stages = Stages()
    with Connection(entry) as connection:
        Deployer(connection, facts, progress=stages).runtime()
    assert stages.sent() == {"onnxruntime", "numpy"}
    assert {path.suffix for path in packages.iterdir()} == {""}


def test_what_is_damaged_there_gets_no_name(entry: DeviceEntry, facts: Facts, large: Path) -> None:
    """The beginning of an earlier try, spoilt: a card that lost its power."""
    with Connection(entry) as connection:
        deployer = Deployer(connection, facts)
        there = Path(deployer.file(large))
        spoilt = bytearray(large.read_bytes()[: 3 * MEGABYTE])
        spoilt[MEGABYTE] ^= 1
        there.rename(f"{there}.part")
        Path(f"{there}.part").write_bytes(spoilt)
        assert deployer.file(large) == str(there)
    assert there.read_bytes() == large.read_bytes()


@contextmanager
def disk(folder: Path, megabytes: int) -> Iterator[None]:
    """A file system of this size at ``folder``."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    done = subprocess.run(["mount", *options], capture_output=True, text=True)
    if done.returncode != 0:
        unavailable(f"a small file system cannot be mounted: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(entry: DeviceEntry, facts: Facts, large: Path) -> None:
    """First too small for a file, then for what is in the wheels."""
    folder = Path(entry.folder)
    with disk(folder, 6), Connection(entry) as connection:
        with pytest.raises(DeviceError, match=r"^pi5: its disk is full; .* devices clean pi5"):
            Deployer(connection, facts).file(large)
        assert files(folder) == []
    folder.rmdir()
    with disk(folder, 60), Connection(entry) as connection:
        with pytest.raises(DeviceError, match=r"^pi5: its disk is full; .* devices clean pi5"):
            Deployer(connection, facts).runtime()
        assert {path.suffix for path in (folder / "packages").iterdir()} == {".whl"}


def test_no_python_or_an_old_one(entry: DeviceEntry, facts: Facts) -> None:
    with Connection(entry) as connection:
        for pythons, says in (
            ([], "pi5: it has no Python; expected 3.10 to 3.13: install one there"),
            (
                [("/usr/bin/python3", "3.9.2")],
                r"pi5: it has only Python 3\.9\.2 \(/usr/bin/python3\); expected 3\.10 to 3\.13",
            ),
        ):
            with pytest.raises(DeviceError, match=says):
                Deployer(connection, replace(facts, pythons=pythons)).runtime()
    with (
        Connection(replace(entry, python="/opt/python")) as connection,
        pytest.raises(DeviceError, match="pi5: cannot run its Python /opt/python: "),
    ):
        Deployer(connection, facts).runtime()


def test_a_python_for_another_processor(entry: DeviceEntry, facts: Facts, tmp_path: Path) -> None:
    """A Raspberry Pi OS of 32 bits runs on a 64-bit kernel."""
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\n_PYTHON_HOST_PLATFORM=linux-armv7l exec python3 "$@"\n')
    python.chmod(0o755)
    with (
        Connection(replace(entry, python=str(python))) as connection,
        pytest.raises(DeviceError, match="for armv7l, is not for aarch64 or x86_64"),
    ):
        Deployer(connection, facts).runtime()
