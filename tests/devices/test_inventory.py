"""The inventory: what people write into it, and what stays of that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bdnet_devices.errors import DeviceError
from bdnet_devices.inventory import DeviceEntry, Inventory
from bdnet_runtime import InputError

SHARED = """\
# Boards of the lab
[devices.pi5]
host = "pi@raspberrypi.local"  # on the shelf
ssh_config = "lab_config"

[devices.orin]
host = "orin"
port = 2222
"""


def test_comments_and_order_stay(tmp_path: Path) -> None:
    path = tmp_path / "devices.toml"
    path.write_text(SHARED)
    inventory = Inventory.load(path)
    inventory.add(DeviceEntry("pi4", "pi@pi4", jump="gate"))
    inventory.save()
    inventory.remove("pi4")
    inventory.save()
    assert path.read_text().strip() == SHARED.strip()


def test_what_is_added_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "devices.toml"
    entry = DeviceEntry("pi4", "pi@pi4", "gate", 22, "/data/bdnet", "python3.11", "/etc/x")
    inventory = Inventory.load(path)
    inventory.add(entry)
    inventory.save()
    assert Inventory.load(path).get("pi4") == entry
    assert [file.name for file in path.parent.iterdir()] == ["devices.toml"]


def test_a_shared_configuration_lies_beside_the_inventory(tmp_path: Path) -> None:
    path = tmp_path / "devices.toml"
    path.write_text(SHARED)
    assert Inventory.load(path).get("pi5").ssh_config == str(tmp_path / "lab_config")


def test_an_unknown_name_is_told_those_that_are_like_it(tmp_path: Path) -> None:
    path = tmp_path / "devices.toml"
    path.write_text(SHARED)
    with pytest.raises(DeviceError, match=r"^pi6: .*did you mean 'pi5'\? .*devices add pi6"):
        Inventory.load(path).get("pi6")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[devices.a", "is not TOML"),
        ("[devices.a]\nhots = 'b'", "no host"),
        ("[devices.a]\nhost = 'b'\nprot = 2", "'prot' is not known; did you mean 'port'"),
        ("[devices.a]\nhost = 'b'\nport = '2'", "port is '2'; expected a number"),
        ("[devices.a]\nhost = 3", "host is 3; expected text"),
        ("[device.a]\nhost = 'b'", "holds 'device' where"),
        ("devices = 3", "holds 'devices' where"),
    ],
)
def test_a_wrong_file_is_said_to_be(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "devices.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=sentence):
        Inventory.load(path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "local"},
        {"name": "a,b"},
        {"host": "-oProxyCommand=x"},
        {"host": "a b"},
        {"jump": "-x"},
        {"port": 0},
        {"folder": "/"},
        {"folder": "."},
        {"folder": "a/../.."},
        {"folder": "~/x"},
        {"python": "a\nb"},
    ],
)
def test_what_would_mean_something_else_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(DeviceError):
        DeviceEntry(**{"name": "a", "host": "b", **wrong})
