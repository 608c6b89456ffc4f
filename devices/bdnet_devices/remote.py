"""A board as a device: what `LocalDevice` does here, done there through ssh."""

from __future__ import annotations

import getpass
import shlex
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from bdnet_devices.deployment import Deployer
from bdnet_devices.device import Device, Progress
from bdnet_devices.inventory import LOCAL, Inventory
from bdnet_devices.local import LocalDevice
from bdnet_devices.lock import Lock
from bdnet_devices.probe import probe
from bdnet_devices.process import EventProcess, ProcessTurnTaker, ProcessWatch, wait_until_ready
from bdnet_devices.ssh import Connection
from bdnet_runtime.benchmark import BenchmarkOptions
from bdnet_runtime.monitor import WatchOptions
from bdnet_runtime.verify import VerifyOptions


class SshDevice:
    """Runs everything on a board, which gets what it lacks. See `bdnet_devices.device.Device`.

    Args:
        connection: to the board, open and locked for this run.
        deployer: what puts things there.
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

    def benchmark(
        self, model: Path, options: BenchmarkOptions, progress: Progress | None = None
    ) -> dict[str, Any]:
        with self._start(options.command(self._runtime, self._deployer.file(model))) as process:
            return process.result(progress)

    def start(
        self, model: Path, options: BenchmarkOptions, progress: Progress | None = None
    ) -> ProcessTurnTaker:
        there = self._deployer.file(model)
        process = self._start(options.command(self._runtime, there, turns=True))
        return ProcessTurnTaker(wait_until_ready(process, progress))

    def verify(
        self,
        model: Path,
        reference: Path,
        options: VerifyOptions,
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        files = (self._deployer.file(model), self._deployer.file(reference))
        with self._start(options.command(self._runtime, *files)) as process:
            return process.result(progress)

    def watch(self, options: WatchOptions) -> ProcessWatch:
        return ProcessWatch(wait_until_ready(self._start(options.command(self._runtime))))

    @cached_property
    def _runtime(self) -> list[str]:
        return self._deployer.runtime()

    def _start(self, command: Sequence[str]) -> EventProcess:
        argv = self._connection.supervised(shlex.join(command))
        return EventProcess(argv, self._connection.explain)


@contextmanager
def open_device(
    name: str,
    inventory: Path | None = None,
    *,
    wheel: Path | None = None,
    progress: Progress | None = None,
) -> Iterator[Device]:
    """The device of that name, for this run alone.

    Args:
        name: "local", or one of the inventory.
        inventory: the file; by default the user's own.
        wheel: bdnet's own for the board, where it cannot be built.
        progress: called while the board is reached and given what it lacks.

    Raises:
        DeviceError: there is no such device, it cannot be reached, or another run holds it.
    """
    if name == LOCAL:
        yield LocalDevice()
        return
    entry = Inventory.load(inventory).get(name)
    if progress is not None:
        progress(f"reaching {entry.host}", 0.0)
    with Connection(entry) as connection, locked(connection):
        deployer = Deployer(connection, probe(connection), own=wheel, progress=progress)
        yield SshDevice(connection, deployer)


def require_devices(names: Sequence[str], inventory: Path | None) -> None:
    """Raises `DeviceError` for a name that is no device, before anything is done."""
    listed = Inventory.load(inventory)
    for name in names:
        if name != LOCAL:
            listed.get(name)


@contextmanager
def locked(connection: Connection) -> Iterator[None]:
    """The board for this run alone. Whoever only looks on, in a dry run, does not need it so.

    Raises:
        DeviceError: another run holds it.
    """
    if connection.dry_run is not None:
        yield
        return
    with Lock(connection, f"{getpass.getuser()}@{socket.gethostname()}"):
        yield
