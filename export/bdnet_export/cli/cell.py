"""The process of a cell of a matrix: bdnet-export, interrupted when its standard input ends.

That is how `bdnet_export.matrix.process` asks it to end, and what the end of that process itself
comes to.
"""

import os
import signal
import sys
import threading

from bdnet_export.cli.main import main as run_command


def main() -> int:
    # It may have been started where Ctrl-C is ignored, such as in the background of a script.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupted = threading.main_thread().ident
    assert interrupted is not None
    threading.Thread(target=_interrupt_at_end_of_input, args=(interrupted,), daemon=True).start()
    return run_command()


def _interrupt_at_end_of_input(thread: int) -> None:
    # Not through sys.stdin, whose lock a thread that waits there would keep from the exit.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    signal.pthread_kill(thread, signal.SIGINT)
