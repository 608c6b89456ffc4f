"""A board as a device: the processes of `LocalDevice`, there."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from bdnet_devices.deployment import Deployer
from bdnet_devices.device import Device, Progress
from bdnet_devices.doctor import examine
from bdnet_devices.errors import DeviceError
from bdnet_devices.inventory import LOCAL, Inventory
from bdnet_devices.local import LocalDevice
from bdnet_devices.lock import Lock
from bdnet_devices.probe import probe
from bdnet_devices.process import EventProcess
from bdnet_devices.process_device import ProcessDevice
from bdnet_devices.ssh import Connection


class SshDevice(ProcessDevice):
    """See `bdnet_devices.device.Device`. What is missing there is deployed first.

    Args:
        connection: an open one, to a board that is locked.
        deployer: for the same connection.
    """

    def __init__(self, connection: Connection, deployer: Deployer) -> None:
        self._connection = connection
        self._deployer = deployer

    @property
    def name(self) -> str:
        return self._connection.name

    @property
    def address(self) -> str | None:
        return self._connection.entry.host

    def put(self, file: Path) -> str:
        return self._deployer.file(file)

    def typed(self, command: Sequence[str], *, lite: bool = False) -> str:
        by_hand = self._connection.entry.by_hand()
        return f"{by_hand} {shlex.quote(self._line(command, lite))}"

    def _process(self, command: Sequence[str], *, lite: bool = False) -> EventProcess:
        argv = self._connection.supervised(self._line(command, lite))
        return EventProcess(argv, self._connection.explain)

    def _line(self, command: Sequence[str], lite: bool) -> str:
        """``command`` as for this machine; the board's Python takes the place of the first word."""
        return shlex.join([*(self._lite if lite else self._runtime), *command[1:]])

    @cached_property
    def _runtime(self) -> list[str]:
        return self._deployer.runtime()

    @cached_property
    def _lite(self) -> list[str]:
        return self._deployer.lite_runtime()


def require_devices(names: Sequence[str], inventory: Path | None) -> None:
    """Raises `DeviceError` for a name that is no device, before anything is done."""
    listed = Inventory.load(inventory)
    for name in names:
        if name != LOCAL:
            listed.get(name)


@contextmanager
def open_device(
    name: str,
    inventory: Path | None = None,
    *,
    wheel: Path | None = None,
    progress: Progress | None = None,
    dry_run: Callable[[str], None] | None = None,
) -> Iterator[Device]:
    """The device of this name, reached, examined and held while the context lasts.

    Args:
        name: "local", or one of the inventory.
        inventory: its file; by default the user's own.
        wheel: bdnet's own for the board, where it cannot be built (see `own_wheel`).
        progress: called while the board is reached and given what it lacks.
        dry_run: called with each command that would change the board, which is then not run. Only
            `put` and `typed` may be asked of such a device: what it would run is not there.

    Raises:
        DeviceError: there is none of this name, it cannot be reached, somebody else uses it, or it
            lacks what a run needs.
    """
    if name == LOCAL:
        yield LocalDevice()
        return
    entry = Inventory.load(inventory).get(name)
    if progress is not None:
        progress(f"reaching {entry.host}", 0.0)
    with Connection(entry, dry_run=dry_run) as connection, Lock(connection):
        facts = probe(connection)
        for check in examine(connection.entry, facts):
            if check.passed is False:
                raise DeviceError(f"{name}: {check.name}: {check.found}; {check.remedy}")
        yield SshDevice(connection, Deployer(connection, facts, own=wheel, progress=progress))
