"""The way that docs/training.md shows: a folder of image files, trained, exported, proved equal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

import bdnet
import bdnet_export
from bdnet import train


def write_images(folder: Path, images: int) -> None:
    """Noise with a bright bar, which stands or lies; of several sizes."""
    generator = np.random.default_rng(images)
    for name in ("lying", "standing"):
        (folder / name).mkdir(parents=True)
        for index in range(images):
            height, width = 30 + index % 5, 36
            pixels = generator.integers(0, 120, (height, width, 3), np.uint8)
            if name == "lying":
                pixels[12:18] = 255
            else:
                pixels[:, 15:21] = 255
            Image.fromarray(pixels).save(folder / name / f"{index}.png")


def test_from_a_folder_of_images_to_an_equal_file(tmp_path: Path) -> None:
    folder, checkpoint, file = (tmp_path / name for name in ("bars", "m.safetensors", "m.onnx"))
    write_images(folder / "train", 60)
    write_images(folder / "test", 8)
    options = "--image-size 24 --width 0.1 --batch-size 10 --threads 1 --lr 0.01"
    stages = "--activation-epochs 2 --epochs 6 --smallest-crop 0.8"
    words = ["--data", str(folder), *options.split(), *stages.split(), "-o", str(checkpoint)]
    assert train.main(words) == 0
    metadata = bdnet.read_metadata(checkpoint)
    assert metadata.input_shape == (3, 24, 24)
    assert metadata.training is not None
    assert metadata.training["classes"] == ["lying", "standing"]
    assert metadata.training["images"] == {"training": 110, "validation": 10, "test": 16}
    assert metadata.training["test_accuracy"] > 0.7
    assert str(tmp_path) not in metadata.training["command"]
    model = bdnet.load(checkpoint)
    bdnet_export.export(model, file, input_shape=metadata.input_shape)
    images = bdnet_export.load_images(
        folder / "test", input_shape=metadata.input_shape, preprocessing=metadata.preprocessing
    )
    report = bdnet_export.validate(file, model, images)
    assert report.passed, report.to_dict()
