"""What a board tells, against what is known of this machine."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from bdnet_devices.probe import Facts, probe
from bdnet_devices.ssh import Connection
from support.sshd import Sshd, running


def test_this_machine_is_found_as_it_is(sshd: Sshd) -> None:
    with Connection(sshd.entry()) as connection:
        facts = probe(connection)
    assert (facts.machine, facts.kernel) == (platform.machine(), platform.release())
    assert facts.glibc == platform.libc_ver()[1]
    assert facts.cores == os.sysconf("SC_NPROCESSORS_ONLN")
    assert facts.home == str(sshd.home)
    assert facts.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert facts.writable
    assert facts.missing_tools == ()
    assert facts.disk_free_bytes is not None


def test_our_kernels_are_those_the_library_chooses(sshd: Sshd) -> None:
    import bdnet_runtime

    with Connection(sshd.entry()) as connection:
        assert probe(connection).isa() == bdnet_runtime.info()["isa"]


@pytest.mark.parametrize(
    ("facts", "isa"),
    [
        (Facts(machine="aarch64", features=("fp", "asimd")), "neon"),
        (Facts(machine="aarch64", bits=32, features=("asimd",)), None),
        (Facts(machine="x86_64", features=("sse2",)), "reference"),
        (Facts(machine="armv7l"), None),
        (Facts(), None),
    ],
)
def test_processors(facts: Facts, isa: str | None) -> None:
    assert facts.isa() == isa


def test_a_board_without_anything_tells_what_it_can(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("sh", "cat", "sleep", "setsid", "head", "uname", "tr", "sed"):
        (tools / tool).symlink_to(f"/usr/bin/{tool}")
    with (
        running(tmp_path / "board", environment=f"PATH={tools}") as server,
        Connection(server.entry()) as connection,
    ):
        facts = probe(connection)
    assert facts.machine == platform.machine()
    assert facts.pythons == []
    assert facts.glibc is None
    assert set(facts.missing_tools) == {"flock", "sha256sum"}
