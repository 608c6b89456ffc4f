"""Exported files with a fault in them, as nobody would notice who trusts the metadata."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx

from bdnet_export.model_file import file_digest, load_model
from bdnet_export.per_image import constants


def mend_digest(model: onnx.ModelProto) -> None:
    """Makes the metadata say that the constants are as exported."""
    for prop in model.metadata_props:
        if prop.key == "bdnet.constants_sha256":
            prop.value = file_digest(model)


def change_constant(
    path: Path, altered: Path, name: str, change: Callable[[np.ndarray], None], *, mend: bool = True
) -> Path:
    """Writes ``altered``: the file with one constant changed in place, and its digest mended."""
    model = load_model(path)
    (tensor,) = (t for t in constants(model) if t.name == name)
    array = onnx.numpy_helper.to_array(tensor).copy()
    change(array)
    tensor.CopyFrom(onnx.numpy_helper.from_array(array, name))
    if mend:
        mend_digest(model)
    onnx.save(model, altered)
    return altered
