"""The entry point of bdnet-export: runs the command, and turns how it ends into a status.

0 success, 1 a check failed, 2 bad input or usage, 130 interrupted, 141 nobody reads the output.
Everything that goes wrong is one sentence on standard error; ``--debug`` adds the traceback.
"""

from __future__ import annotations

import sys
import traceback
from typing import Any

BAD_INPUT = 2
INTERRUPTED = 130


def main() -> int:
    try:
        status = _run()
    except KeyboardInterrupt:
        status = INTERRUPTED
    if status == INTERRUPTED:
        _fail("interrupted; what it had started was ended")
    return status


def _run() -> int:
    # Imported here, so that a plain install (the runtime of a board) says what it lacks.
    try:
        from bdnet_export.cli.app import app, settings
    except ModuleNotFoundError as error:
        return _fail(_missing_package(error))

    import typer

    try:
        # Typer turns an interruption within a command into the status of one.
        status: int = app(prog_name="bdnet-export", standalone_mode=False) or 0
        return status
    except Exception as error:
        # The class of all usage errors has no public name in Typer, but its subclass has.
        if isinstance(error, typer.BadParameter.__bases__):
            return _usage_error(error)
        if settings.debug:
            traceback.print_exc()
        return _fail(_sentence(error, settings.debug))


def _fail(sentence: str) -> int:
    print(f"bdnet-export: {' '.join(sentence.split())}", file=sys.stderr)
    return BAD_INPUT


def _sentence(error: Exception, debug: bool) -> str:
    if isinstance(error, ModuleNotFoundError):
        return _missing_package(error)
    text = str(error) or "no further message"
    if _is_input_error(error):
        return text
    hint = "" if debug else "; run again as 'bdnet-export --debug ...' for the traceback"
    return f"{type(error).__name__}: {text}{hint}"


def _is_input_error(error: Exception) -> bool:
    # Looked up rather than imported: whichever package raised it is loaded, and the other one
    # may be bdnet, which brings PyTorch.
    loaded = (sys.modules.get(name) for name in ("bdnet", "bdnet_runtime"))
    return any(isinstance(error, package.InputError) for package in loaded if package is not None)


def _missing_package(error: ModuleNotFoundError) -> str:
    return (
        f"the package {error.name!r} is not installed; install what bdnet-export needs "
        "with: pip install 'bdnet[export]'"
    )


def _usage_error(error: Any) -> int:
    """Prints a usage error as one sentence that ends with where to read on."""
    message = error.format_message().rstrip(".")
    if not message:  # no command at all: Typer has shown the help
        return BAD_INPUT
    command = "bdnet-export" if error.ctx is None else error.ctx.command_path
    return _fail(f"{message} (see '{command} --help')")


if __name__ == "__main__":
    sys.exit(main())
