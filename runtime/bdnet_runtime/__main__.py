"""``python -m bdnet_runtime COMMAND``: what a device does without bdnet-export."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib import import_module

from bdnet_runtime.errors import InputError
from bdnet_runtime.events import run_main
from bdnet_runtime.info import info

# Each is a module with a function main(arguments); "info" is here.
MODULES = {"bench": "benchmark", "verify": "verify", "monitor": "monitor"}

HELP = """\
usage: python -m bdnet_runtime COMMAND [-h] ...

  bench    measures a model: how long a run takes
  verify   compares what a model computes with a reference
  monitor  reads temperature, clock and throttling
  info     says which versions and which kernels are here
"""


def main(arguments: Sequence[str]) -> int:
    """The exit status of the command that ``arguments`` begin with."""
    command, *rest = arguments or ["--help"]
    if command in MODULES:
        return int(import_module(f"bdnet_runtime.{MODULES[command]}").main(rest))
    return run_main(lambda: _other(command, rest))


def _other(command: str, rest: list[str]) -> None:
    if command in ("-h", "--help"):
        print(HELP, end="")
    elif command == "info" and not rest:
        print(json.dumps(info(), indent=2))
    else:
        commands = ", ".join([*MODULES, "info"])
        given = " ".join([command, *rest])
        raise InputError(f"{given!r} is no command; expected one of {commands}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
