"""The wheels that a board needs, on the workstation: downloaded or built once, for its Python.

What was chosen for a Python once is kept in the cache and chosen again, without the network and
without change, so that results of one month compare with those of the next.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path

from bdnet_devices.board_python import BoardPython
from bdnet_devices.cache import keep
from bdnet_devices.device import Progress
from bdnet_devices.own_wheel import own_wheel
from bdnet_devices.pip import NoWheelError, pip
from bdnet_runtime import InputError

# What is asked for where the inventory asks for nothing else. The library needs ONNX Runtime 1.21.
NEWEST = {
    "onnxruntime": "onnxruntime>=1.21",
    "numpy": "numpy",
    "ai-edge-litert": "ai-edge-litert",
    "tflite-runtime": "tflite-runtime>=2.14",
}
OLD_NUMPY = "numpy<2"  # all that tflite-runtime can be loaded beside


def parse_pins(requirements: Iterable[str]) -> dict[str, str]:
    """['onnxruntime==1.23.2'] -> {'onnxruntime': 'onnxruntime==1.23.2'}, as an inventory has them.

    Raises:
        InputError: a package that no board is given.
    """
    pins = {}
    for requirement in requirements:
        name = re.split(r"[^\w.-]", requirement.strip())[0].lower().replace("_", "-")
        if name not in NEWEST:
            close = difflib.get_close_matches(name, NEWEST, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise InputError(
                f"{requirement!r} asks for a package that no board is given; {hint}it may begin "
                f"with {', '.join(NEWEST)}, for example 'onnxruntime==1.23.2'"
            )
        pins[name] = requirement.strip()
    return pins


def runtime_wheels(
    python: BoardPython,
    pins: dict[str, str],
    progress: Progress,
    own: Path | None = None,
) -> list[Path]:
    """bdnet's wheel, ONNX Runtime's and numpy's.

    Args:
        pins: from `parse_pins`.
        own: bdnet's wheel for this machine, where the user gives one.

    Raises:
        InputError: one of them cannot be had.
    """
    wanted = {**NEWEST, **pins}
    return [
        own_wheel(python.machine, progress, own),
        newest_wheel(wanted["onnxruntime"], python, progress),
        newest_wheel(wanted["numpy"], python, progress),
    ]


def lite_wheels(
    python: BoardPython,
    pins: dict[str, str],
    progress: Progress,
    own: Path | None = None,
) -> list[Path]:
    """The wheels of an environment that runs .tflite files.

    LiteRT's where there is one for this Python, otherwise TensorFlow Lite's, with a numpy older
    than 2. bdnet_runtime and what it imports are there as well. See `runtime_wheels`.
    """
    wanted = {**NEWEST, **pins}
    numpy = wanted["numpy"]
    try:
        if "tflite-runtime" in pins and "ai-edge-litert" not in pins:
            raise NoWheelError("the inventory asks for the other")
        engine = newest_wheel(wanted["ai-edge-litert"], python, progress)
    except NoWheelError:
        engine = newest_wheel(wanted["tflite-runtime"], python, progress)
        numpy = pins.get("numpy", OLD_NUMPY)
    return [
        own_wheel(python.machine, progress, own),
        newest_wheel(wanted["onnxruntime"], python, progress),
        engine,
        newest_wheel(numpy, python, progress),
    ]


def newest_wheel(requirement: str, python: BoardPython, progress: Progress) -> Path:
    """The newest wheel of a package that ``python`` can use, from the cache or from pip's index.

    Raises:
        NoWheelError: there is none.
        InputError: no index was reached, or ``requirement`` is none.
    """
    tag = "cp{}{}".format(*python.version)
    platforms = python.platforms()
    options = ["--implementation", "cp", "--python-version", "{}.{}".format(*python.version)]
    for platform in platforms:
        options += ["--platform", platform]

    def fill(folder: Path) -> None:
        progress(f"downloading {requirement} for {python}", 0.0)
        try:
            pip(
                *("download", "--quiet", "--no-deps", "--only-binary=:all:", *options),
                *("--dest", str(folder), "--", requirement),
            )
        except NoWheelError as error:
            raise NoWheelError(
                f"there is no wheel of {requirement} for {python} with glibc "
                f"{python.glibc[0]}.{python.glibc[1]}: {error}"
            ) from None
        except InputError as error:
            raise InputError(f"{requirement} cannot be downloaded for {python}: {error}") from None

    name = re.sub(r"[^\w.=<>!~,-]", "_", requirement)
    (wheel,) = keep(f"wheels/{name}-{tag}-{platforms[0]}", fill).glob("*.whl")
    return wheel
