"""Larq Compute Engine's model: binary point-wise convolutions, all else in float.

Usage: python -m benchmarks.peers.larq.build FOLDER. Writes binary.tflite.
"""

import sys
from pathlib import Path

import larq
import larq_compute_engine as lce
import tensorflow as tf

from benchmarks.peers.mobilenet import BLOCKS, CLASSES, STEM

layers = tf.keras.layers


def network() -> tf.keras.Model:
    image = x = layers.Input((224, 224, 3))
    x = layers.Conv2D(STEM, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    for filters, stride in BLOCKS:
        x = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = larq.layers.QuantConv2D(
            filters, 1, input_quantizer="ste_sign", kernel_quantizer="ste_sign", use_bias=False
        )(x)
        # In this order both are part of LceBconv2d; the other way round ReLU is not.
        x = layers.BatchNormalization()(layers.ReLU()(x))
    x = layers.GlobalAveragePooling2D()(x)
    return tf.keras.Model(image, layers.Dense(CLASSES)(x))


def main(folder: Path) -> None:
    (folder / "binary.tflite").write_bytes(lce.convert_keras_model(network()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
