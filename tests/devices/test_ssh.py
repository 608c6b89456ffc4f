"""A connection to a real server: commands, files, and that nothing outlives its client."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bdnet_devices.errors import DeviceError
from bdnet_devices.ssh import Connection
from support.sshd import Sshd


def test_a_command_has_its_own_status_output_and_input(sshd: Sshd) -> None:
    with Connection(sshd.entry()) as connection:
        done = connection.run("cat; pwd; echo no >&2; exit 7", input=b"in ", check=False)
        assert (done.status, done.stdout, done.stderr) == (7, f"in {sshd.home}\n", "no\n")
        big = b"x" * 3_000_000
        assert len(connection.run("cat", input=big).stdout) == len(big)
        assert connection.run("exit 255", check=False).status == 255


def test_short_commands_never_wait_for_their_relay(sshd: Sshd) -> None:
    """They end while the supervisor's other half is still being made."""
    with Connection(sshd.entry()) as connection:
        for _ in range(100):
            connection.run("true", timeout=10)


def test_more_processes_than_one_connection_allows(sshd: Sshd) -> None:
    with Connection(sshd.entry()) as connection:
        processes = [
            subprocess.Popen(
                connection.supervised("read x; echo $x; read y; exit 3"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(12)
        ]
        for process in processes:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("a\n")
            process.stdin.flush()
            assert process.stdout.readline() == "a\n"
        for process in processes:
            process.communicate("b\n")
            assert process.returncode == 3


def test_a_dry_run_reads_and_changes_nothing(sshd: Sshd, tmp_path: Path) -> None:
    told: list[str] = []
    source = tmp_path / "file"
    source.write_bytes(b"abc")
    with Connection(sshd.entry(), dry_run=told.append) as connection:
        assert connection.run("echo yes").stdout == "yes\n"
        connection.change("mkdir never")
        connection.upload(source, "never/file")
    assert list(sshd.home.iterdir()) == []
    assert "mkdir never" in told[0]
    assert "never/file" in told[1]


def test_an_upload_is_whole_and_told_in_bytes(sshd: Sshd, tmp_path: Path) -> None:
    source = tmp_path / "a file"
    source.write_bytes(bytes(range(256)) * 1000)
    seen: list[tuple[int, int]] = []
    with Connection(sshd.entry()) as connection:
        connection.upload(source, "new folder/a 'file'", lambda *told: seen.append(told))
        assert (sshd.home / "new folder/a 'file'").read_bytes() == source.read_bytes()
        (sshd.home / "f.part").write_bytes(b"of something else")
        connection.upload(source, "f")
    assert (sshd.home / "f").read_bytes() == source.read_bytes()
    assert seen[0] == (0, 256_000)
    assert seen[-1] == (256_000, 256_000)
    assert not list(sshd.home.rglob("*.part"))


def test_start_up_files_that_print_are_named(sshd: Sshd) -> None:
    config = sshd.folder / "sshd_config"
    config.write_text(config.read_text().replace("ForceCommand cd", "ForceCommand echo hi; cd"))
    sshd.restart()
    with pytest.raises(DeviceError, match="start-up files of its shell print 'hi'"):
        Connection(sshd.entry()).__enter__()


CLIENT = """
import os, signal, subprocess, sys
from bdnet_devices.inventory import DeviceEntry
from bdnet_devices.ssh import Connection
with Connection(DeviceEntry("board", "board", ssh_config=sys.argv[1])) as connection:
    process = subprocess.Popen(
        connection.supervised(sys.argv[2]), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    process.stdout.readline()
    os.kill(os.getpid(), int(sys.argv[3]))
    process.wait()
"""


@pytest.mark.parametrize("number", [9, 15, 2])
@pytest.mark.parametrize("trap", ["", "trap '' TERM HUP INT;"])
def test_nothing_outlives_its_client(sshd: Sshd, number: int, trap: str) -> None:
    command = f"{trap} sleep 1000 & sleep 1000 & echo begun; wait"
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, sshd.config, command, str(number)], capture_output=True
    )
    assert done.returncode != 0
    sshd.wait_until_idle()


def test_what_is_killed_there_does_not_leave_its_children(sshd: Sshd) -> None:
    with Connection(sshd.entry()) as connection:
        done = connection.run("sleep 1000 & kill -s KILL $$", check=False)
        assert done.status == 137
    sshd.wait_until_idle()


def test_a_command_that_takes_too_long_is_ended(sshd: Sshd) -> None:
    with Connection(sshd.entry()) as connection:
        with pytest.raises(DeviceError, match=r"^board: no answer within 0.5 s \(sleep 1000\)"):
            connection.run("sleep 1000", timeout=0.5)
        assert connection.run("echo on").stdout == "on\n"
