"""A board that has everything that a run needs; nothing may be left running there, or here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.board_lab import CAT, CLIENT, Lab
from support.sshd import processes_with, running


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The board has everything that a run needs, and ``m.onnx``."""
    import bdnet_export

    folder = tmp_path_factory.mktemp("lab")
    commands = folder / "commands"
    commands.mkdir()
    (commands / "cat").write_text(CAT)
    (commands / "cat").chmod(0o755)
    network = bdnet_export.load_source("fashion-mnist")
    bdnet_export.export(network.model, folder / "m.onnx", input_shape=(1, 28, 28))
    with running(folder / "board", environment=f"PATH={commands}:/usr/bin:/bin") as server:
        made = Lab(folder, server)
        made.add("pi")
        made.run("deploy", "m.onnx", "--device", "pi")
        yield made


@pytest.fixture(autouse=True)
def _nothing_is_left(lab: Lab) -> Iterator[None]:
    yield
    lab.server.wait_until_idle()
    assert processes_with(CLIENT, lab.folder) == []
    lab.require_whole_files()
