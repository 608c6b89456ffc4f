"""The device ``local``: this machine, reached by starting a process."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from bdnet_devices.process import EventProcess
from bdnet_devices.process_device import ProcessDevice


class LocalDevice(ProcessDevice):
    """Runs everything with the Python that runs this. See `bdnet_devices.device.Device`."""

    name = "local"
    address: str | None = None

    def put(self, file: Path) -> str:
        return str(file)

    def typed(self, command: Sequence[str], *, lite: bool = False) -> str:
        return shlex.join([sys.executable, *command[1:]])

    def _process(self, command: Sequence[str], *, lite: bool = False) -> EventProcess:
        return EventProcess([sys.executable, *command[1:]])
