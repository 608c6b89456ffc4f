"""The device ``local``: this machine, reached by starting a process."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bdnet_devices.device import Progress
from bdnet_devices.process import EventProcess, ProcessTurnTaker, ProcessWatch, wait_until_ready
from bdnet_runtime.benchmark import BenchmarkOptions
from bdnet_runtime.monitor import WatchOptions
from bdnet_runtime.verify import VerifyOptions


class LocalDevice:
    """Runs everything with the Python that runs this. See `bdnet_devices.device.Device`."""

    name = "local"
    address: str | None = None

    def put(self, file: Path) -> str:
        return str(file)

    def typed(self, command: Sequence[str], *, lite: bool = False) -> str:
        return shlex.join([sys.executable, *command[1:]])

    def benchmark(
        self, model: Path, options: BenchmarkOptions, progress: Progress | None = None
    ) -> dict[str, Any]:
        with EventProcess(options.command(sys.executable, str(model))) as process:
            return process.result(progress)

    def start(
        self, model: Path, options: BenchmarkOptions, progress: Progress | None = None
    ) -> ProcessTurnTaker:
        process = EventProcess(options.command(sys.executable, str(model), turns=True))
        return ProcessTurnTaker(wait_until_ready(process, progress))

    def verify(
        self,
        model: Path,
        reference: Path,
        options: VerifyOptions,
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        command = options.command(sys.executable, str(model), str(reference))
        with EventProcess(command) as process:
            return process.result(progress)

    def watch(self, options: WatchOptions) -> ProcessWatch:
        return ProcessWatch(wait_until_ready(EventProcess(options.command(sys.executable))))
