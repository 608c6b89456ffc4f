"""The lock of a board: who waits for whom, and when nobody has to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bdnet_devices.errors import DeviceError
from bdnet_devices.lock import Lock
from bdnet_devices.ssh import Connection
from support.emulated_board import link_commands
from support.sshd import Sshd, running

CLIENT = """
import os, sys
from bdnet_devices.inventory import DeviceEntry
from bdnet_devices.lock import Lock
from bdnet_devices.ssh import Connection
with Connection(DeviceEntry("board", "board", ssh_config=sys.argv[1])) as connection:
    with Lock(connection, "dead@client"):
        os.kill(os.getpid(), 9)
"""


def test_who_comes_second_is_told_who_and_how_long(sshd: Sshd) -> None:
    with Connection(sshd.entry()) as one, Connection(sshd.entry()) as two:
        held = r"^board: ann@desk has been using it for \d+ s"
        with Lock(one, "ann@desk"), pytest.raises(DeviceError, match=held):
            Lock(two, "bob@desk").__enter__()
        with Lock(two, "bob@desk"):
            pass


def test_the_lock_of_a_dead_client_is_free(sshd: Sshd) -> None:
    subprocess.run([sys.executable, "-c", CLIENT, sshd.config])
    sshd.wait_until_idle()
    with Connection(sshd.entry()) as connection, Lock(connection):
        pass


def test_what_a_restart_left_is_no_lock(sshd: Sshd) -> None:
    (sshd.home / ".bdnet").mkdir()
    (sshd.home / ".bdnet" / "lock").write_text("ann@desk\n5\nanother-boot-id\n1\n1\n")
    with Connection(sshd.entry()) as connection, Lock(connection, "bob@desk"):
        assert (sshd.home / ".bdnet" / "lock").read_text().startswith("bob@desk\n")


def test_a_client_that_is_not_heard_any_more_loses_it_with_all_it_runs(sshd: Sshd) -> None:
    with Connection(sshd.entry()) as one, Connection(sshd.entry()) as two:
        process = one.popen(one.supervised("sleep 1000")[-1])
        with Lock(one, "ann@desk"):
            (sshd.home / ".bdnet" / "lock.alive").write_text("-1000\n")
            with Lock(two, "bob@desk"):
                assert process.wait(10) == 255
                assert "lost" in str(one.explain(255, ""))
        process.communicate()


def test_a_board_that_cannot_lock_is_not_taken_for_a_busy_one(tmp_path: Path) -> None:
    commands = link_commands(tmp_path / "commands", {})
    (commands / "flock").unlink()
    with (
        running(tmp_path / "board", environment=f"PATH={commands}") as server,
        Connection(server.entry()) as connection,
        pytest.raises(DeviceError, match=r"a command is not there \(flock: not found\)"),
    ):
        Lock(connection).__enter__()


def test_a_dry_run_holds_nothing(sshd: Sshd) -> None:
    with Connection(sshd.entry(), dry_run=print) as connection, Lock(connection):
        assert list(sshd.home.iterdir()) == []
