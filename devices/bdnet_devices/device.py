"""What every device can do, however it is reached."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from bdnet_runtime.benchmark import BenchmarkOptions

Progress = Callable[[str, float], None]
"""Called with the stage and the fraction of it that is done, 0 to 1."""


class Device(Protocol):
    @property
    def name(self) -> str:
        """The name it is asked for by."""

    def benchmark(
        self, model: Path, options: BenchmarkOptions, progress: Progress | None = None
    ) -> dict[str, Any]:
        """Measures ``model`` in a fresh process on the device.

        Returns:
            The result of ``python -m bdnet_runtime.benchmark``, which documents it.

        Raises:
            InputError: the model cannot be measured, in the sentence of that process.
        """
