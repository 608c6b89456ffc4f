"""What is installed: versions, and what the library says of itself."""

from __future__ import annotations

import json
import platform
from typing import Any

import numpy as np
import onnxruntime as ort

from bdnet_runtime.library import get_library_path
from bdnet_runtime.session import create_session
from bdnet_runtime.version import __version__

ONNX_OPSET = 18
STRING = 8  # TensorProto.DataType


def info() -> dict[str, Any]:
    """Versions, platform, and what the library says of itself.

    Returns:
        ``bdnet``, ``onnxruntime``, ``numpy``, ``python``: versions; ``platform``; ``library``: its
        path; ``library_version``; ``isa``: the instruction set of the kernels it runs, the
        processor's best unless the environment variable ``BDNET_ISA`` names another;
        ``reason``: why that one.

    Raises:
        InputError: the library is missing or does not load.
    """
    session = create_session(_library_info_model(), name="the model that asks the library")
    (text,) = session.run(None, {})
    library = json.loads(text[0])
    return {
        **versions(),
        "platform": platform.platform(),
        "library": get_library_path(),
        "library_version": library["version"],
        "isa": library["isa"],
        "reason": library["reason"],
    }


def versions() -> dict[str, str]:
    """The versions that a result depends on."""
    return {
        "bdnet": __version__,
        "onnxruntime": ort.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def _library_info_model() -> bytes:
    """A model of the one node ai.bdnet.LibraryInfo() -> info, string[1].

    The library exports nothing but what ONNX Runtime calls, so a model is the way to ask it.
    Written as protobuf by hand (field numbers of onnx.proto3), since a device has no ``onnx``.
    """
    node = _field(2, b"info") + _field(4, b"LibraryInfo") + _field(7, b"ai.bdnet")
    shape = _field(1, _varint_field(1, 1))
    tensor_type = _varint_field(1, STRING) + _field(2, shape)
    output = _field(1, b"info") + _field(2, _field(1, tensor_type))
    graph = _field(1, node) + _field(2, b"info") + _field(12, output)
    onnx_domain = _field(1, b"") + _varint_field(2, ONNX_OPSET)
    our_domain = _field(1, b"ai.bdnet") + _varint_field(2, 1)
    ir_version = _varint_field(1, 8)
    return ir_version + _field(7, graph) + _field(8, onnx_domain) + _field(8, our_domain)


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field: a string or a message, shorter than 128 bytes."""
    return bytes([number << 3 | 2, len(content)]) + content


def _varint_field(number: int, value: int) -> bytes:
    """An integer protobuf field, below 128."""
    return bytes([number << 3, value])
