"""The device ``local``: this machine, reached by starting a process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bdnet_devices.device import Progress
from bdnet_runtime import InputError
from bdnet_runtime.benchmark import BenchmarkOptions

BAD_INPUT = 2


class LocalDevice:
    """Runs benchmarks with the Python that runs this. See `bdnet_devices.device.Device`."""

    name = "local"

    def benchmark(
        self, model: Path, options: BenchmarkOptions, progress: Progress | None = None
    ) -> dict[str, Any]:
        command = options.command(sys.executable, str(model))
        # A file and not a pipe: nobody reads it while the process runs, and a pipe could fill up.
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True
            )
            assert process.stdout is not None
            try:
                result = _read_events(process.stdout, progress)
                status = process.wait()
            except BaseException:  # an interruption too: the process must not outlive this call
                process.kill()
                process.wait()
                raise
            finally:
                process.stdout.close()
            errors.seek(0)
            lines = errors.read().decode(errors="replace").split("\n")
        sentence = next((line.strip() for line in reversed(lines) if line.strip()), "no message")
        if status == BAD_INPUT:
            raise InputError(sentence)
        if status != 0 or result is None:
            raise RuntimeError(f"the benchmark process {_ending(status)}: {sentence}")
        return result


def _read_events(lines: Iterable[str], progress: Progress | None) -> dict[str, Any] | None:
    result = None
    for line in lines:
        event = json.loads(line)
        if event["event"] == "result":
            result = event
        elif progress is not None:
            progress(event["stage"], event["fraction"])
    return result


def _ending(status: int) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"
