"""What goes wrong with a board, as the command line says it and as it leaves the board.

The board is a real OpenSSH server on loopback with this machine's processor. After each of these
tests nothing runs there, nothing has a name that it does not deserve, and the next run works. What
else can go wrong is in tests/devices.
"""

from __future__ import annotations

import getpass
import json
import re
import socket
import subprocess
from pathlib import Path

import pytest

from support import emulated_board
from support.board_lab import Lab
from support.result_schemas import load_valid
from support.sshd import running
from support.terminal import CTRL_C
from support.tools import unavailable

INTERRUPTED = "bdnet-export: interrupted; what it had started was ended"
QUICK = ("--seconds", 0.1, "--warmup", 1)
LONG = ("--seconds", 600, "--warmup", 1)


def test_ctrl_c_in_the_middle_of_an_upload(lab: Lab) -> None:
    name = lab.model("interrupted.onnx")
    with lab.slow_disk(), lab.type("deploy", name, "--device", "pi") as terminal:
        terminal.wait_for("the upload", lambda: lab.part(name) > 0)
        terminal.type(CTRL_C)
        status, last = terminal.end()
    assert (status, last[-len(INTERRUPTED) :]) == (130, INTERRUPTED)
    assert "Traceback" not in terminal.text
    lab.server.wait_until_idle()
    assert 0 < lab.part(name) < 8_000_000
    assert f"Deployed {name} to pi" in lab.run("deploy", name, "--device", "pi").stdout
    assert lab.part(name) == 0


def test_a_cut_in_the_middle_of_an_upload(lab: Lab) -> None:
    name = lab.model("cut.onnx")
    with lab.slow_disk(), lab.type("deploy", name, "--device", "pi") as terminal:
        terminal.wait_for("the upload", lambda: lab.part(name) > 0)
        lab.server.cut()
        status, last = terminal.end()
    assert (status, "pi: the connection was lost" in last) == (2, True)
    lab.server.wait_until_idle()
    assert 0 < lab.part(name) < 8_000_000
    assert f"Deployed {name} to pi" in lab.run("deploy", name, "--device", "pi").stdout


def test_a_run_is_not_disturbed_and_ends_with_ctrl_c(lab: Lab) -> None:
    with lab.type("bench", "m.onnx", "--device", "pi", *LONG) as terminal:
        terminal.wait_for_text("measuring")
        refused = lab.run("deploy", "m.onnx", "--device", "pi", status=2).stderr
        owner = re.escape(f"{getpass.getuser()}@{socket.gethostname()}")
        assert re.search(rf"pi: {owner} has been using it for \d+ s; wait for the end", refused)
        assert any("bdnet_runtime.benchmark" in line for line in lab.server.commands())
        terminal.type(CTRL_C)
        status, last = terminal.end()
    assert (status, last[-len(INTERRUPTED) :]) == (130, INTERRUPTED)
    assert "Traceback" not in terminal.text
    assert "Measured" in lab.run("bench", "m.onnx", "--device", "pi", *QUICK).stdout


def test_ctrl_c_ends_several_devices_at_once(lab: Lab) -> None:
    with lab.type("bench", "m.onnx", "--device", "pi,local", *LONG) as terminal:
        terminal.wait_for_text("pi: measuring")
        terminal.wait_for_text("local: measuring")
        terminal.type(CTRL_C)
        status, last = terminal.end()
    assert (status, last[-len(INTERRUPTED) :]) == (130, INTERRUPTED)
    assert "Traceback" not in terminal.text


def test_a_cut_in_the_middle_of_a_run(lab: Lab) -> None:
    with lab.type("bench", "m.onnx", "--device", "pi", *LONG) as terminal:
        terminal.wait_for_text("measuring")
        lab.server.cut()
        status, last = terminal.end()
    assert (status, "pi: the connection was lost" in last) == (2, True)
    lab.server.wait_until_idle()
    lab.run("deploy", "m.onnx", "--device", "pi")


def test_a_board_that_restarts_in_the_middle_of_a_run(lab: Lab, tmp_path: Path) -> None:
    with running(tmp_path / "board") as server:
        another = Lab(tmp_path, server)
        another.add("pi")
        lock = server.home / ".bdnet" / "lock"
        model = lab.folder / "m.onnx"
        with another.type("bench", model, "--device", "pi", *LONG) as terminal:
            terminal.wait_for_text("measuring")
            boot_id = server.reboot()
            status, last = terminal.end()
        assert status == 2
        assert "pi: the connection was lost, or the board has restarted; see that" in last
        # Whoever had the board may have had no time to say that it is free.
        assert boot_id not in lock.read_text()
        told = another.run("devices", "probe", "pi", "--json", "-").stdout
        assert load_valid("devices", told)["boot_id"] == boot_id
        assert "Measured" in another.run("bench", model, "--device", "pi", *QUICK).stdout
        assert lock.read_text() == ""
        server.wait_until_idle()


def test_a_full_disk(lab: Lab) -> None:
    disk = lab.server.home / "disk"
    disk.mkdir()
    lab.add("full", "--folder", "disk/bdnet")
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        unavailable("a small file system cannot be mounted: that needs root")
    try:
        said = lab.run("deploy", "m.onnx", "--device", "full", status=2).stderr
        left = [path for path in disk.rglob("*") if path.is_file() and path.name != "lock"]
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
    assert "full: its disk is full; make room there" in said
    assert left == []
    assert "Deployed m.onnx to full" in lab.run("deploy", "m.onnx", "--device", "full").stdout


# What stands for a board's own commands, and what is said of such a board.
UNFIT = {
    "no Python": ({}, "deploy", "pi: it has no Python; expected 3.10 to 3.13: install one there"),
    "an old Python": (
        {"python3": "echo 3.9.2"},
        "deploy",
        "pi: it has only Python 3.9.2 (",
    ),
    "another processor": (
        {
            "uname": "echo armv7l",
            "getconf": 'case $1 in LONG_BIT) echo 32;; *) echo "glibc 2.36"; esac',
        },
        "bench",
        "pi: architecture: armv7l, 32-bit system; expected x86_64 or aarch64: put a 64-bit system",
    ),
}


@pytest.mark.parametrize("what", UNFIT)
def test_an_unfit_board(lab: Lab, tmp_path: Path, what: str) -> None:
    commands, command, sentence = UNFIT[what]
    scripts = {name: f"#!/bin/sh\n{script}\n" for name, script in commands.items()}
    path = emulated_board.link_commands(tmp_path / "commands", scripts)
    with running(tmp_path / "board", environment=f"PATH={path}") as server:
        inventory = tmp_path / "devices.toml"
        inventory.write_text(
            f'[devices.pi]\nhost = "board"\nssh_config = {json.dumps(str(server.config))}\n'
        )
        said = lab.run(command, "m.onnx", "--device", "pi", "--inventory", inventory, status=2)
        assert sentence in said.stderr
        server.wait_until_idle()
        assert list(server.home.rglob("*.part")) == []
