"""The int8 twin: the float twin after ONNX Runtime's static quantisation."""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

Images = npt.NDArray[np.float32]


def int8_twin(
    float_model: onnx.ModelProto,
    images: Images,
    *,
    activations: QuantType = QuantType.QUInt8,
    weights: QuantType = QuantType.QInt8,
    per_channel: bool = True,
) -> onnx.ModelProto:
    """``float_model`` in int8, quantised as ONNX Runtime's documentation advises.

    Static, in the QDQ format, after its pre-processing; activations between the least and the
    greatest value that they have on ``images``. No choice of types is faster on x86-64 than the
    default (docs/performance.md), which is also what is deployed.

    Args:
        float_model: from `float_twin`.
        images: float32 [N, C, H, W], preprocessed: what the activations are calibrated on.
        activations, weights: their types.
        per_channel: weights have a scale for each channel, and not one for a layer.
    """
    batch = float_model.graph.input[0].type.tensor_type.shape.dim[0].dim_value or 1
    with tempfile.TemporaryDirectory() as folder, _quiet():
        given, prepared, quantised = (
            Path(folder, f"{name}.onnx") for name in ("given", "prepared", "quantised")
        )
        onnx.save(float_model, given)
        quant_pre_process(str(given), str(prepared))
        quantize_static(
            str(prepared),
            str(quantised),
            _Reader(float_model.graph.input[0].name, images, batch),
            quant_format=QuantFormat.QDQ,
            per_channel=per_channel,
            activation_type=activations,
            weight_type=weights,
        )
        return onnx.load(quantised)


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Gives the images in batches; the last is filled up with the first ones."""

    def __init__(self, name: str, images: Images, batch: int) -> None:
        batches = math.ceil(len(images) / batch)
        shape = (batches, batch, *images.shape[1:])
        self._feeds = iter([{name: batch} for batch in np.resize(images, shape)])

    def get_next(self) -> dict[str, Images] | None:
        return next(self._feeds, None)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the quantiser's remarks from the user's terminal; it logs to the root."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
