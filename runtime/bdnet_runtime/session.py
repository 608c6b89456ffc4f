"""An ONNX Runtime session for a BD-Net, with the library registered."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import onnxruntime as ort

from bdnet_runtime.errors import InputError
from bdnet_runtime.library import get_library_path

FATAL = 4
CPU = ("CPUExecutionProvider",)


def create_session(
    model: str | os.PathLike[str] | bytes,
    threads: int = 1,
    use_library: bool = True,
    providers: Sequence[str] = CPU,
) -> ort.InferenceSession:
    """A session that runs ``model`` with bdnet's kernels, or with their bodies alone.

    Args:
        model: path of a ``.onnx`` file, or the bytes of one.
        threads: ONNX Runtime's intra-op threads, the caller's among them. Nodes run one after
            the other, so there are no inter-op threads.
        use_library: registers the custom-operator library. Without it ONNX Runtime runs the
            standard operators that the file carries as the bodies of the custom ones.
        providers: execution providers, the preferred first.

    Raises:
        InputError: the file is missing or is not a model that this ONNX Runtime can run, the
            thread count is below 1, or the library is missing or does not load.
    """
    if threads < 1:
        raise InputError(f"threads is {threads}; expected 1 or more")
    source: str | bytes
    if isinstance(model, bytes):
        name, source = "what was given", model
    else:
        path = Path(model)
        name = source = str(path)
        if not path.is_file():
            found = "is a folder" if path.is_dir() else "does not exist"
            raise InputError(f"the model {name} {found}; expected an .onnx file")

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = FATAL  # errors come back as exceptions: no need to print them too
    if use_library:
        library = get_library_path()
        # ONNX Runtime's exceptions have no base of their own but Exception.
        try:
            options.register_custom_ops_library(library)
        except Exception as error:
            raise InputError(
                f"ONNX Runtime {ort.__version__} cannot use {library}: {reason(error)}"
            ) from error
    try:
        return ort.InferenceSession(source, options, providers=list(providers))
    except Exception as error:
        text = reason(error)
        if not use_library and "is not a registered function/op" in text:
            text += "; it carries no bodies for its custom operators, so use the library"
        raise InputError(
            f"{name} is not a model that ONNX Runtime {ort.__version__} can load: {text}"
        ) from error


def reason(error: Exception) -> str:
    """What an exception of ONNX Runtime says, on one line, without its code and the path."""
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", " ".join(str(error).split()))
    return re.sub(r"^Load model from .* failed: ?", "", text).rstrip(".")
