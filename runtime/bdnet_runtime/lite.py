"""Runs .tflite files, in LiteRT or in TensorFlow Lite, whichever this Python has.

Neither is needed for anything else, so they are imported where they are asked for. Both run
float layers in XNNPACK by themselves.
"""

from __future__ import annotations

import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from bdnet_runtime.engine import SEED, Engine, LoadedModel
from bdnet_runtime.errors import InputError
from bdnet_runtime.model_input import Size, fit_input
from bdnet_runtime.session import reason, require_threads

SUFFIX = ".tflite"


def lite_runtime() -> Engine:
    """LiteRT (ai-edge-litert), otherwise TensorFlow Lite (tflite-runtime).

    Raises:
        InputError: this Python has neither.
    """
    package, interpreter = _interpreter()
    return Engine(package, version(package), partial(_load, interpreter))


def _interpreter() -> tuple[str, Any]:
    """The name of the package, and its class."""
    try:
        from ai_edge_litert.interpreter import Interpreter

        return "ai-edge-litert", Interpreter
    except ModuleNotFoundError:
        pass
    try:
        from tflite_runtime.interpreter import Interpreter

        return "tflite-runtime", Interpreter
    except ModuleNotFoundError:
        raise InputError(
            ".tflite files are run by LiteRT, which this Python does not have; add it with: "
            f"{sys.executable} -m pip install ai-edge-litert"
        ) from None
    except ImportError as error:
        raise InputError(
            f"tflite-runtime cannot be imported ({reason(error)}); it needs a numpy below 2, or "
            f"put LiteRT in its place: {sys.executable} -m pip install ai-edge-litert"
        ) from None


def _load(
    interpreter: Any, path: Path, threads: int, batch: int | None, size: Size | None
) -> LoadedModel:
    require_threads(threads)
    if not path.is_file():
        found = "is a folder" if path.is_dir() else "does not exist"
        raise InputError(f"the model {path} {found}; expected a {SUFFIX} file")
    try:
        loaded = interpreter(model_path=str(path), num_threads=threads)
        inputs = loaded.get_input_details()
    except (ValueError, RuntimeError) as error:
        raise InputError(f"{path} is not a model that LiteRT can load: {reason(error)}") from error
    if len(inputs) != 1 or inputs[0]["dtype"] != np.float32:
        found = ", ".join(f"{value['name']!r} {np.dtype(value['dtype'])}" for value in inputs)
        raise InputError(f"the inputs of {path} are {found}; expected one of float32")
    (value,) = inputs
    # -1 is a dynamic dimension.
    shape = [None if size < 0 else int(size) for size in value["shape_signature"]]
    fed = fit_input(value["name"], shape, batch, size)
    try:
        loaded.resize_tensor_input(value["index"], fed.shape)
        loaded.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise InputError(f"the model cannot be run: {reason(error)}") from error
    # An input is never written to by a run, so it is set once.
    loaded.set_tensor(value["index"], fed.random(SEED))
    return LoadedModel([fed], loaded.invoke)
