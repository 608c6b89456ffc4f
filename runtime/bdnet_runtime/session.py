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
MAX_THREADS = 1024  # more than any machine has cores for; tens of thousands bring one to a halt

# What ONNX Runtime puts before its sentences: its code, the path, and where in its source it is:
# a file, a line, and a function as a bare name or with its whole signature.
_SIGNATURE = r"[^('\"]*::[^(]*\((?:[^()]|\([^()]*\))*\)(?: const)?(?: \[with [^\]]*\])?"
_NOISE = (
    r"^\[ONNXRuntimeError\] : \d+ : \w+ : ",
    r"^Exception during initialization: ",
    r"^Load model from .* failed: ?",
    r"^Failed to load library .* with error: ",
    rf"\S+\.(?:cc|cpp|h|hpp):\d+ (?:{_SIGNATURE}|\w+) ",
    r"(?<!:) \(op_type:.*$",  # of the errors within a body, all that follow from the first
)


def create_session(
    model: str | os.PathLike[str] | bytes,
    threads: int = 1,
    use_library: bool = True,
    providers: Sequence[str] = CPU,
    name: str | None = None,
    profile_prefix: str | None = None,
) -> ort.InferenceSession:
    """A session that runs ``model`` with bdnet's kernels, or with their bodies alone.

    Args:
        model: path of a ``.onnx`` file, or the bytes of one.
        threads: ONNX Runtime's intra-op threads, the caller's among them. Nodes run one after
            the other, so there are no inter-op threads.
        use_library: registers the custom-operator library. Without it ONNX Runtime runs the
            standard operators that the file carries as the bodies of the custom ones.
        providers: execution providers, the preferred first.
        name: what messages call the model; by default its path.
        profile_prefix: how the path of ONNX Runtime's profile begins, which the session's
            ``end_profiling`` writes and names; without it there is none.

    Raises:
        InputError: the file is missing or is not a model that this ONNX Runtime can run, the
            thread count is not from 1 to 1024, or the library is missing or does not load.
    """
    require_threads(threads)
    source: str | bytes
    if isinstance(model, bytes):
        name, source = name or "the model given as bytes", model
    else:
        path = Path(model)
        source = str(path)
        name = name or source
        if not path.is_file():
            found = "is a folder" if path.is_dir() else "does not exist"
            raise InputError(f"the model {name} {found}; expected an .onnx file")

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Blocks planned from the first run come on top of what that run took: a sixth more memory for a
    # BD-Net of full width at 224 x 224, and no time saved, by it or by its float twin.
    options.enable_mem_pattern = False
    options.log_severity_level = FATAL  # errors come back as exceptions: no need to print them too
    if profile_prefix is not None:
        options.enable_profiling = True
        options.profile_file_prefix = profile_prefix
    if use_library:
        library = get_library_path()
        # ONNX Runtime's exceptions have no base of their own but Exception.
        try:
            options.register_custom_ops_library(library)
        except Exception as error:
            text = reason(error).removeprefix(f"{library}: ")
            raise InputError(
                f"ONNX Runtime {ort.__version__} cannot use {library}: {text}"
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


def require_threads(threads: int) -> None:
    """Raises `InputError` for a thread count that no machine has a use for."""
    if not 1 <= threads <= MAX_THREADS:
        raise InputError(f"threads is {threads}; expected 1 to {MAX_THREADS}")


def reason(error: Exception) -> str:
    """What an exception of ONNX Runtime says, on one line, without what only its authors need."""
    text = " ".join(str(error).split())
    for noise in _NOISE:
        text = re.sub(noise, "", text)
    return text.rstrip(".")
