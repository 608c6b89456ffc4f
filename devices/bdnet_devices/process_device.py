"""What a device does is to start processes: the same ones here and on a board."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bdnet_devices.device import Progress
from bdnet_devices.process import EventProcess, ProcessTurnTaker, ProcessWatch, wait_until_ready
from bdnet_runtime.benchmark import BenchmarkOptions
from bdnet_runtime.lite import SUFFIX as LITE
from bdnet_runtime.monitor import WatchOptions
from bdnet_runtime.verify import VerifyOptions

PYTHON = ""  # stands in a command for the device's Python


class ProcessDevice(ABC):
    """The methods of `bdnet_devices.device.Device` that start a process."""

    @abstractmethod
    def put(self, file: Path) -> str:
        """See `bdnet_devices.device.Device`."""

    @abstractmethod
    def _process(self, command: Sequence[str], *, lite: bool = False) -> EventProcess:
        """Starts ``command`` there, whose first word, `PYTHON`, stands for the device's Python.

        Args:
            lite: that Python needs LiteRT.
        """

    def benchmark(
        self, model: Path, options: BenchmarkOptions, progress: Progress | None = None
    ) -> dict[str, Any]:
        command = options.command(PYTHON, self.put(model))
        with self._process(command, lite=model.suffix == LITE) as process:
            return process.result(progress)

    def start(
        self, model: Path, options: BenchmarkOptions, progress: Progress | None = None
    ) -> ProcessTurnTaker:
        command = options.command(PYTHON, self.put(model), turns=True)
        process = self._process(command, lite=model.suffix == LITE)
        return ProcessTurnTaker(wait_until_ready(process, progress))

    def verify(
        self,
        model: Path,
        reference: Path,
        options: VerifyOptions,
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        with self._process(
            options.command(PYTHON, self.put(model), self.put(reference))
        ) as process:
            return process.result(progress)

    def watch(self, options: WatchOptions) -> ProcessWatch:
        return ProcessWatch(wait_until_ready(self._process(options.command(PYTHON))))
