"""Commands that run a module of ours, here or on a board."""

from __future__ import annotations

from collections.abc import Sequence


def module_command(python: str | Sequence[str], module: str) -> list[str]:
    """As ``python -m bdnet_runtime.MODULE``, which however would search the working folder first.

    There a user's platform.py would stand for the standard library's. (-P came with Python 3.11.)

    Args:
        python: the interpreter, or the words that start it.
        module: of bdnet_runtime, with a function ``main``.
    """
    words = [python] if isinstance(python, str) else list(python)
    script = (
        "import sys; sys.path[:] = filter(None, sys.path); "
        f"from bdnet_runtime.{module} import main; sys.exit(main())"
    )
    return [*words, "-c", script]
