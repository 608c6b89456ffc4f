"""bdnet-export devices as a user types it, with a real server for a board."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import plain_models
from support.result_schemas import load_valid
from support.sshd import Sshd, running

COMMAND = [sys.executable, "-m", "bdnet_export.cli.main"]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=120
    )


class Lab:
    """An empty folder with an inventory, and a board."""

    def __init__(self, folder: Path, sshd: Sshd) -> None:
        self.inventory = folder / "devices.toml"
        self.sshd = sshd

    def devices(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return run("devices", *arguments, "--inventory", self.inventory)

    def add(self, name: str = "pi5", *more: object) -> subprocess.CompletedProcess[str]:
        return self.devices("add", name, "board", "--ssh-config", self.sshd.config, *more)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with running(tmp_path / "board") as sshd:
        yield Lab(tmp_path, sshd)
        sshd.wait_until_idle()


def test_add_list_probe_doctor_remove(lab: Lab) -> None:
    added = lab.add()
    assert added.returncode == 0, added.stderr
    assert "Added pi5 (board)" in added.stdout
    assert "[devices.pi5]" in lab.inventory.read_text()

    load_valid("devices", lab.devices("list", "--json", "-").stdout)
    listed = lab.devices("list").stdout
    assert "local" in listed
    assert "pi5" in listed

    probed = lab.devices("probe", "pi5")
    assert probed.returncode == 0, probed.stderr
    assert "Probed pi5" in probed.stdout
    facts = load_valid("devices", lab.devices("probe", "pi5", "--json", "-").stdout)
    assert facts["home"] == str(lab.sshd.home)

    load_valid("devices", lab.devices("doctor", "pi5", "--json", "-").stdout)
    examined = lab.devices("doctor", "pi5")
    assert examined.returncode in (0, 1), examined.stderr
    assert "architecture" in examined.stdout

    assert lab.devices("remove", "pi5").returncode == 0
    assert "pi5" not in lab.inventory.read_text()


def test_a_board_that_lacks_something_fails_its_examination(lab: Lab) -> None:
    lab.add("pi5", "--folder", "/proc/bdnet")
    examined = lab.devices("doctor", "pi5")
    assert examined.returncode == 1
    assert "pi5 is not ready: " in examined.stdout
    assert "disk" in examined.stdout.splitlines()[-1]


def test_a_wrong_name_and_an_unknown_key_are_one_sentence(lab: Lab) -> None:
    lab.add()
    wrong = lab.devices("probe", "pi6")
    assert wrong.returncode == 2
    assert "did you mean 'pi5'?" in wrong.stderr
    twice = lab.add()
    assert twice.returncode == 2
    assert "there is a device of this name" in twice.stderr
    lab.sshd.know(None)
    unknown = lab.devices("probe", "pi5")
    assert unknown.returncode == 2
    assert "pi5: the host key of board is not known; connect once by hand" in unknown.stderr
    assert "Traceback" not in unknown.stderr


@pytest.mark.parametrize("command", ["bench", "validate"])
@pytest.mark.parametrize("device", ["", "pi5,", ","])
def test_an_empty_name_is_no_device(command: str, device: str, tmp_path: Path) -> None:
    model = plain_models.write(plain_models.conv_relu(), tmp_path / "m.onnx")
    more = ["fashion-mnist"] if command == "validate" else []
    finished = run(command, model, *more, "--device", device)
    assert finished.returncode == 2
    assert f"{device!r} has an empty name; expected a device" in finished.stderr


def test_nothing_is_deployed_to_this_machine(tmp_path: Path) -> None:
    model = plain_models.write(plain_models.conv_relu(), tmp_path / "m.onnx")
    finished = run("deploy", model, "--device", "local")
    assert finished.returncode == 2
    assert "local: this is this machine, which has what it needs" in finished.stderr
