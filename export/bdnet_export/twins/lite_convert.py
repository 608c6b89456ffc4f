"""Makes a .tflite file of a described network, with TensorFlow's converter.

A program of its own, run by `bdnet_export.twins.lite_twin` in an environment that holds TensorFlow
and nothing of ours: LAYERS.npz OUT.tflite. `lite_twin` says what the first one holds.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf


def _convolution(value: Any, layer: dict[str, Any], weight: Any, bias: Any) -> Any:
    """``weight`` is [filters, channels of a group, kh, kw], as in PyTorch and ONNX."""
    filters, channels, *kernel = weight.shape
    top, left, bottom, right = layer["pads"]
    if any(layer["pads"]):
        value = tf.keras.layers.ZeroPadding2D(((top, bottom), (left, right)))(value)
    options = {
        "strides": layer["strides"],
        "dilation_rate": layer["dilations"],
        "activation": "relu",
    }
    if channels == 1 and layer["group"] > 1:
        multiplier = filters // layer["group"]
        made = tf.keras.layers.DepthwiseConv2D(kernel, depth_multiplier=multiplier, **options)
        weight = weight.reshape(layer["group"], multiplier, *kernel).transpose(2, 3, 0, 1)
    else:
        made = tf.keras.layers.Conv2D(filters, kernel, groups=layer["group"], **options)
        weight = weight.transpose(2, 3, 1, 0)
    value = made(value)
    made.set_weights([weight, bias])
    return value


def main(described: Path, out: Path) -> None:
    with np.load(described) as arrays:
        description = json.loads(str(arrays["description"]))
        weights = [(arrays[f"weight{i}"], arrays[f"bias{i}"]) for i in range(len(arrays) // 2)]
    batch, channels, height, width = description["input_shape"]
    # A batch of a known size: an open one costs operators that find it out.
    image = tf.keras.Input(batch_shape=(batch, height, width, channels))
    value = image
    for layer, (weight, bias) in zip(description["layers"], weights, strict=False):
        value = _convolution(value, layer, weight, bias)
    value = tf.keras.layers.GlobalAveragePooling2D()(value)
    weight, bias = weights[-1]
    classifier = tf.keras.layers.Dense(len(bias))
    value = classifier(value)
    classifier.set_weights([weight.T, bias])
    converter = tf.lite.TFLiteConverter.from_keras_model(tf.keras.Model(image, value))
    out.write_bytes(converter.convert())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
