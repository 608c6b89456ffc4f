"""What goes wrong between here and a board: one sentence, and nothing is left there."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bdnet_devices import ssh
from bdnet_devices.errors import DeviceError
from bdnet_devices.inventory import DeviceEntry
from bdnet_devices.ssh import Connection
from support.sshd import Sshd, free_port
from support.tools import unavailable


def refusal(entry: DeviceEntry) -> str:
    """The sentence with which no connection comes to be."""
    with pytest.raises(DeviceError) as raised, Connection(entry):
        pass
    sentence = str(raised.value)
    assert "\n" not in sentence
    assert sentence.startswith(f"{entry.name}: ")
    assert "then run this again" in sentence
    return sentence


def works(sshd: Sshd) -> bool:
    with Connection(sshd.entry()) as connection:
        return connection.run("echo yes").stdout == "yes\n"


def test_an_unknown_host_key_is_not_accepted(sshd: Sshd) -> None:
    known = (sshd.folder / "host_key.pub").read_text()
    sshd.know(None)
    sentence = refusal(sshd.entry("pi5"))
    assert "the host key of board is not known; connect once by hand with 'ssh -F " in sentence
    assert (sshd.folder / "known_hosts").read_text() == ""
    sshd.know(known)
    assert works(sshd)


def test_a_changed_host_key_is_not_accepted(sshd: Sshd) -> None:
    sshd.know(sshd.make_key("another").read_text())
    assert re.search(
        r"is another than the known one \(line 1 of .*known_hosts", refusal(sshd.entry())
    )


def test_a_refused_key(sshd: Sshd) -> None:
    sshd.make_key("user_key")
    assert "board refused the key; copy yours there with 'ssh-copy-id'" in refusal(sshd.entry())
    (sshd.folder / "authorized_keys").write_text((sshd.folder / "user_key.pub").read_text())
    assert works(sshd)


def test_no_such_host() -> None:
    entry = DeviceEntry("pi5", "pi@nowhere.invalid", ssh_config="/dev/null")
    assert "there is no host 'nowhere.invalid'" in refusal(entry)


def test_nobody_listens() -> None:
    entry = DeviceEntry("pi5", "127.0.0.1", port=free_port(), ssh_config="/dev/null")
    assert "refuses connections; start the SSH server" in refusal(entry)


def test_a_wrong_configuration(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Nonsense yes\n")
    sentence = refusal(DeviceEntry("pi5", "pi", ssh_config=str(config)))
    assert "ssh does not accept its configuration" in sentence


def test_no_ssh_here(sshd: Sshd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "there is no 'ssh' on this machine" in refusal(sshd.entry())


def test_a_frozen_server_before_and_during(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "CONNECT_SECONDS", 1)
    monkeypatch.setattr(ssh, "ALIVE_SECONDS", 1)
    monkeypatch.setattr(ssh, "ALIVE_COUNT", 1)
    with Connection(sshd.entry()) as connection:
        sshd.freeze()
        with pytest.raises(DeviceError, match=r"connection was lost|no answer within"):
            connection.run("echo", timeout=5)
        assert "does not answer" in refusal(sshd.entry())
    sshd.thaw()
    assert works(sshd)


def test_a_cut_during_a_command(sshd: Sshd) -> None:
    with Connection(sshd.entry()) as connection:
        process = subprocess.Popen(
            connection.supervised("echo on; sleep 1000"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        process.stdout.readline()
        sshd.cut()
        _, errors = process.communicate()
        why = connection.explain(process.returncode, errors.decode())
        assert re.match(r"board: the connection was lost", str(why))
        with pytest.raises(DeviceError, match="the connection was lost"):
            connection.run("echo")
    sshd.wait_until_idle()
    assert works(sshd)


def test_an_upload_goes_on_where_it_was_cut(sshd: Sshd, tmp_path: Path) -> None:
    source = tmp_path / "wheel"
    source.write_bytes(bytes(range(251)) * 80_000)
    seen: list[int] = []

    def cut(done: int, total: int) -> None:
        if done > total // 2:
            sshd.cut()

    lost = pytest.raises(DeviceError, match="the connection was lost")
    with Connection(sshd.entry()) as connection, lost:
        connection.upload(source, "files/wheel", cut)
    sshd.wait_until_idle()
    arrived = (sshd.home / "files/wheel.part").stat().st_size
    assert arrived > 0
    assert not (sshd.home / "files/wheel").exists()
    with Connection(sshd.entry()) as connection:
        connection.upload(source, "files/wheel", lambda done, total: seen.append(done))
    assert seen[0] == arrived
    assert (sshd.home / "files/wheel").read_bytes() == source.read_bytes()


def test_what_arrives_wrong_gets_no_name(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    liar = sshd.home / "bin" / "sha256sum"
    liar.parent.mkdir()
    liar.write_text("#!/bin/sh\necho " + "0" * 64 + "\n")
    liar.chmod(0o755)
    source = tmp_path / "file"
    source.write_bytes(b"abc")
    with Connection(sshd.entry()) as connection:
        monkeypatch.setattr(
            "bdnet_devices.upload._hash_command", lambda connection: "bin/sha256sum <"
        )
        with pytest.raises(DeviceError, match="arrived with the SHA-256 000000000000"):
            connection.upload(source, "file")
    assert {path.name for path in sshd.home.iterdir()} == {"bin"}


@pytest.fixture
def small_disk(sshd: Sshd) -> Iterator[Path]:
    folder = sshd.home / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)])
    if mounted.returncode != 0:
        unavailable("a small file system cannot be mounted: that needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk(sshd: Sshd, small_disk: Path, tmp_path: Path) -> None:
    source = tmp_path / "wheel"
    source.write_bytes(b"a" * 4_000_000)
    with Connection(sshd.entry()) as connection:
        with pytest.raises(DeviceError, match="its disk is full; make room there"):
            connection.upload(source, "small/wheel")
        assert list(small_disk.iterdir()) == []
        source.write_bytes(b"a" * 400_000)
        connection.upload(source, "small/wheel")
    assert [path.name for path in small_disk.iterdir()] == ["wheel"]


def test_a_command_that_is_missing_and_one_that_fails(sshd: Sshd) -> None:
    with Connection(sshd.entry()) as connection:
        with pytest.raises(DeviceError, match=r"a command is not there .*nonsense"):
            connection.run("nonsense")
        with pytest.raises(DeviceError, match=r"ended there with status 3 .oh no."):
            connection.run("echo oh no >&2; exit 3")
