"""Several devices at once, each in a thread, and one interruption that ends them all.

Ctrl-C reaches the main thread alone, while the others wait for processes: ssh, pip, a benchmark.
So the processes that they start are known here. An interruption ends these, and with them the
waiting.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, TypeVar
from weakref import WeakSet

from bdnet_devices.errors import ProcessEndedError
from bdnet_runtime import InputError

Found = TypeVar("Found")
Process = TypeVar("Process", bound="subprocess.Popen[Any]")


class _Threads:
    """Threads that are interrupted together, and the processes that they have started."""

    def __init__(self) -> None:
        self.interrupted = threading.Event()
        self._lock = threading.Lock()
        self._processes: WeakSet[subprocess.Popen[Any]] = WeakSet()

    def add(self, process: subprocess.Popen[Any]) -> None:
        with self._lock:
            if not self.interrupted.is_set():
                self._processes.add(process)
                return
        process.kill()
        process.wait()
        raise KeyboardInterrupt

    def interrupt(self) -> None:
        with self._lock:
            self.interrupted.set()
            for process in self._processes:
                process.terminate()  # not kill: a monitor has a governor to restore


_THREADS: ContextVar[_Threads | None] = ContextVar("_THREADS", default=None)


def at_once(tasks: Mapping[str, Callable[[], Found]]) -> dict[str, Found | Exception]:
    """Runs the tasks at once, each in a thread of its own.

    An interruption of this thread ends every process that a task has begun or begins afterwards.

    Returns:
        What each has found, or the error of the device or its user that it ended in: what is wrong
        with one device is no reason to lose what the others have found.
    """
    threads = _Threads()

    def outcome(task: Callable[[], Found]) -> Found | Exception:
        _THREADS.set(threads)
        try:
            return task()
        except (InputError, ProcessEndedError) as error:
            return error

    with ThreadPoolExecutor(len(tasks)) as pool:
        try:
            futures = {name: pool.submit(outcome, task) for name, task in tasks.items()}
            return {name: future.result() for name, future in futures.items()}
        except BaseException:
            threads.interrupt()
            raise


def interruptible(process: Process) -> Process:
    """Returns a process that was just started, known to the threads that this one is one of.

    Raises:
        KeyboardInterrupt: they have been interrupted. The process has ended.
    """
    threads = _THREADS.get()
    if threads is not None:
        threads.add(process)
    return process


def pause(seconds: float) -> None:
    """Sleeps. Raises `KeyboardInterrupt` as soon as the threads are interrupted."""
    threads = _THREADS.get()
    if threads is None:
        time.sleep(seconds)
    elif threads.interrupted.wait(seconds):
        raise KeyboardInterrupt
