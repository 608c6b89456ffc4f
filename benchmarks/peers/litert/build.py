"""LiteRT's models: Keras' MobileNet V1 of random weights, in float and in 8 bits.

Usage: python -m benchmarks.peers.litert.build FOLDER. Writes fp32.tflite and int8.tflite.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from benchmarks.peers.contestant import image


def examples() -> Iterator[list[object]]:
    """What the ranges of the 8-bit activations are taken from."""
    yield [image(channels_last=True)]


def main(folder: Path) -> None:
    picture = tf.keras.Input(batch_shape=(1, 224, 224, 3))  # a batch of any size costs operators
    network = tf.keras.applications.MobileNet(
        input_tensor=picture, weights=None, classifier_activation=None
    )
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    (folder / "fp32.tflite").write_bytes(converter.convert())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = examples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    (folder / "int8.tflite").write_bytes(converter.convert())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
