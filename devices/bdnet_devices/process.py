"""A process that tells what it does in JSON lines, here or, through ssh, on a board."""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any, TypeVar

from bdnet_devices.device import Progress
from bdnet_devices.errors import ProcessEndedError
from bdnet_devices.side_by_side import interruptible
from bdnet_devices.ssh_failures import SIGNALLED
from bdnet_runtime import InputError
from bdnet_runtime.events import BAD_INPUT, END

GRACE_SECONDS = 3.0

Event = dict[str, Any]
Explain = Callable[[int, str], Exception | None]
"""From status and standard error to what became of a process; None where it says so itself."""


def _speaks_for_itself(status: int, errors: str) -> None:
    return None


class EventProcess:
    """A process and the events that it writes. As a context, it ends with it.

    Its standard input stays open until the end: a board takes the end of it for the client's death.
    Ctrl-C does not reach it: this process decides.

    Args:
        argv: the command.
        explain: asked first when the process has failed.
    """

    def __init__(self, argv: Sequence[str], explain: Explain = _speaks_for_itself) -> None:
        self._explain = explain
        with ExitStack() as stack:
            # A file and not a pipe: nobody reads it while the process runs, and a pipe could fill.
            self._errors = stack.enter_context(tempfile.TemporaryFile())
            self._process = interruptible(
                subprocess.Popen(
                    list(argv),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=self._errors,
                    text=True,
                    start_new_session=True,
                )
            )
            stack.pop_all()

    def write(self, line: str) -> None:
        """Where the process has ended, `next_event` says so."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()

    def next_event(self, kind: str, progress: Progress | None = None) -> Event:
        """The next event of this kind; what is told of the progress until then is passed on.

        Raises:
            InputError: the process ended instead, with a sentence for the user.
        """
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event = _event(line)
            if event is None:
                continue
            if event["event"] == kind:
                return event
            if progress is not None and event["event"] == "progress":
                progress(event["stage"], event["fraction"])
        raise self._failure(self._process.wait())

    def result(self, progress: Progress | None = None) -> Event:
        """The result, when the process has ended well."""
        result = self.next_event("result", progress)
        status = self._process.wait()
        if status != 0:
            raise self._failure(status)
        return result

    def end(self, grace: float = 0) -> None:
        """Ends the process if it has not, and waits until it is gone.

        Args:
            grace: seconds that it has to end by itself, as it does when its standard input ends.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(grace)
        finally:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()
            self._errors.close()

    def __enter__(self) -> EventProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def _failure(self, status: int) -> Exception:
        self._errors.seek(0)
        errors = self._errors.read().decode(errors="replace")
        explained = self._explain(status, errors)
        if explained is not None:
            return explained
        lines = errors.split("\n")
        sentence = next((line.strip() for line in reversed(lines) if line.strip()), "no message")
        if status == BAD_INPUT:
            return InputError(sentence)
        return ProcessEndedError(f"the process {_ending(status)}: {sentence}")


Own = TypeVar("Own", bound="_Ending")


class _Ending:
    """A context at whose end its process has ended: by itself, since a monitor has to clean up."""

    def __init__(self, process: EventProcess) -> None:
        self._process = process

    def __enter__(self: Own) -> Own:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.end(GRACE_SECONDS)


class ProcessTurnTaker(_Ending):
    """See `bdnet_devices.device.TurnTaker`. Its process is a benchmark with ``--turns``."""

    def turn(self, seconds: float) -> None:
        self._process.write(f"{seconds}")
        self._process.next_event("turn")

    def finish(self) -> Event:
        self._process.write(END)
        return self._process.result()


class ProcessWatch(_Ending):
    """See `bdnet_devices.device.Watch`. Its process is ``python -m bdnet_runtime.monitor``."""

    def report(self) -> Event:
        self._process.write(END)
        return self._process.result()


def wait_until_ready(process: EventProcess, progress: Progress | None = None) -> EventProcess:
    """The process itself, when it has said that it is ready; otherwise it has ended."""
    try:
        process.next_event("ready", progress)
    except BaseException:
        process.end(GRACE_SECONDS)
        raise
    return process


def _event(line: str) -> Event | None:
    """None for what is none, such as what a board's login shell says before the process starts."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None


def _ending(status: int) -> str:
    # A shell that waited for it, as on a board, adds the signal's number to 128.
    number = -status if status < 0 else status - SIGNALLED
    if number in {*signal.Signals}:
        return f"was ended by {signal.Signals(number).name}"
    return f"ended with status {status}"
