"""The device ``local``: this machine, reached by starting a process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from bdnet_devices.device import Progress
from bdnet_runtime import InputError
from bdnet_runtime.benchmark import BenchmarkOptions

BAD_INPUT = 2

Event = dict[str, Any]


class LocalDevice:
    """Runs benchmarks with the Python that runs this. See `bdnet_devices.device.Device`."""

    name = "local"

    def benchmark(
        self, model: Path, options: BenchmarkOptions, progress: Progress | None = None
    ) -> dict[str, Any]:
        with _Process(options.command(sys.executable, str(model))) as process:
            return process.result(progress)

    def start(
        self, model: Path, options: BenchmarkOptions, progress: Progress | None = None
    ) -> _TurnTaker:
        process = _Process(options.command(sys.executable, str(model), turns=True))
        try:
            process.next_event("ready", progress)
        except BaseException:
            process.end()
            raise
        return _TurnTaker(process)


class _TurnTaker:
    """See `bdnet_devices.device.TurnTaker`."""

    def __init__(self, process: _Process) -> None:
        self._process = process

    def turn(self, seconds: float) -> None:
        self._process.write(f"{seconds}\n")
        self._process.next_event("turn")

    def finish(self) -> dict[str, Any]:
        return self._process.result()

    def __enter__(self) -> _TurnTaker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.end()


class _Process:
    """A benchmark's process and the events that it writes. As a context, it ends with it."""

    def __init__(self, command: list[str]) -> None:
        with ExitStack() as stack:
            # A file and not a pipe: nobody reads it while the process runs, and a pipe could fill.
            self._errors = stack.enter_context(tempfile.TemporaryFile())
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
            )
            stack.pop_all()

    def write(self, line: str) -> None:
        """Where the process has ended, `next_event` says so."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def next_event(self, kind: str, progress: Progress | None = None) -> Event:
        """The next event of this kind; what is told of the progress until then is passed on.

        Raises:
            InputError: the process ended instead, with a sentence for the user.
        """
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event: Event = json.loads(line)
            if event["event"] == kind:
                return event
            if progress is not None:
                progress(event["stage"], event["fraction"])
        raise self._failure(self._process.wait())

    def result(self, progress: Progress | None = None) -> dict[str, Any]:
        """The result, when the process has ended well; no more turns follow."""
        self._close_stdin()
        result = self.next_event("result", progress)
        status = self._process.wait()
        if status != 0:
            raise self._failure(status)
        return result

    def end(self) -> None:
        """Ends the process if it has not, and waits until it is gone."""
        self._process.kill()
        self._process.wait()
        self._close_stdin()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._errors.close()

    def __enter__(self) -> _Process:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def _close_stdin(self) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()

    def _failure(self, status: int) -> Exception:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").split("\n")
        sentence = next((line.strip() for line in reversed(lines) if line.strip()), "no message")
        if status == BAD_INPUT:
            return InputError(sentence)
        return RuntimeError(f"the benchmark process {_ending(status)}: {sentence}")


def _ending(status: int) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"
