"""What every device can do, however it is reached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from bdnet_runtime.benchmark import BenchmarkOptions
from bdnet_runtime.monitor import WatchOptions
from bdnet_runtime.verify import VerifyOptions

Progress = Callable[[str, float], None]
"""Called with the stage and the fraction of it that is done, 0 to 1."""


class TurnTaker(Protocol):
    """A process on a device that has loaded a model, is warm, and waits for its turns.

    A context: at its end the process has ended too, however it came to that.
    """

    def turn(self, seconds: float) -> None:
        """Measures for ``seconds``, while this waits. The samples are in the result."""

    def finish(self) -> dict[str, Any]:
        """Ends the process. Returns the result of all turns, as `Device.benchmark` does."""

    def __enter__(self) -> TurnTaker: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Watch(Protocol):
    """A process on a device that reads its conditions while something else is measured.

    A context: at its end the process has ended too and the governor is what it was, however it
    came to that.
    """

    def report(self) -> dict[str, Any]:
        """Ends the process. Returns the result of ``python -m bdnet_runtime.monitor``."""

    def __enter__(self) -> Watch: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Device(Protocol):
    @property
    def name(self) -> str:
        """The name it is asked for by."""

    @property
    def address(self) -> str | None:
        """Where it is reached, as the inventory has it; None for this machine."""

    def put(self, file: Path) -> str:
        """Brings a file there unless it is there. Returns its path there."""

    def typed(self, command: Sequence[str], *, lite: bool = False) -> str:
        """What a user would type here to run the ``command`` of some options there.

        Args:
            command: its first word stands for the device's Python.
            lite: that Python needs LiteRT.
        """

    def benchmark(
        self, model: Path, options: BenchmarkOptions, progress: Progress | None = None
    ) -> dict[str, Any]:
        """Measures ``model`` in a fresh process on the device.

        Returns:
            The result of ``python -m bdnet_runtime.benchmark``, which documents it.

        Raises:
            InputError: the model cannot be measured, in the sentence of that process.
        """

    def start(
        self, model: Path, options: BenchmarkOptions, progress: Progress | None = None
    ) -> TurnTaker:
        """Starts a fresh process on the device that measures ``model`` in turns.

        Returns when it is warm. ``options.seconds`` is not used: each turn has its own.

        Raises:
            InputError: the model cannot be measured, in the sentence of that process.
        """

    def verify(
        self,
        model: Path,
        reference: Path,
        options: VerifyOptions,
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """Compares what ``model`` computes on the device with a reference.

        Args:
            reference: a `bdnet_runtime.verification.Reference`, saved.

        Returns:
            The result of ``python -m bdnet_runtime.verify``, which documents it.

        Raises:
            InputError: the model cannot be run, in the sentence of that process.
        """

    def watch(self, options: WatchOptions) -> Watch:
        """Begins to read the device's conditions, after it has set the governor asked for.

        Raises:
            InputError: the governor cannot be set, in the sentence of that process.
        """
