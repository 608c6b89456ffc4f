"""Images from files, folders and generators."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bdnet import InputError, Preprocessing
from bdnet_export import load_images, random_images

PREPROCESSING = Preprocessing((0.5,), (0.25,))


def test_bytes_are_normalised_and_labels_kept(tmp_path: Path) -> None:
    pixels = np.arange(2 * 4, dtype=np.uint8).reshape(2, 1, 2, 2) * 30
    np.savez(tmp_path / "a.npz", images=pixels, labels=np.array([3, 1]))
    found = load_images(tmp_path / "a.npz", input_shape=(1, 2, 2), preprocessing=PREPROCESSING)
    expected = (pixels.astype(np.float32) / np.float32(255) - np.float32(0.5)) / np.float32(0.25)
    assert found.images.dtype == np.float32
    np.testing.assert_array_equal(found.images, expected)
    assert found.labels is not None
    assert found.labels.tolist() == [3, 1]


def test_floats_are_taken_as_they_are(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((3, 1, 2, 2)).astype(np.float32)
    np.savez(tmp_path / "a.npz", images=values)
    found = load_images(tmp_path / "a.npz", input_shape=(1, 2, 2), preprocessing=PREPROCESSING)
    np.testing.assert_array_equal(found.images, values)


def test_a_folder_is_read_in_order_and_resized(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    Image.new("RGB", (8, 6), (255, 0, 0)).save(tmp_path / "sub" / "b.png")
    Image.new("L", (3, 3), 51).save(tmp_path / "a.png")
    (tmp_path / "notes.txt").write_text("no image")
    found = load_images(tmp_path, input_shape=(3, 4, 4), preprocessing=None)
    assert found.images.shape == (2, 3, 4, 4)
    assert found.images[0, :, 0, 0] == pytest.approx([0.2, 0.2, 0.2])
    assert found.images[1, :, 0, 0] == pytest.approx([1, 0, 0])
    assert load_images(
        tmp_path / "a.png", input_shape=(1, 3, 3), preprocessing=None
    ).images.shape == (1, 1, 3, 3)


def test_random_images_depend_on_the_seed_alone() -> None:
    first, second = random_images(2, (1, 3, 3)), random_images(2, (1, 3, 3))
    np.testing.assert_array_equal(first.images, second.images)
    assert not np.array_equal(first.images, random_images(2, (1, 3, 3), seed=1).images)


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    def refuses(path: Path, message: str, shape: tuple[int, int, int] = (1, 2, 2)) -> None:
        with pytest.raises(InputError, match=message):
            load_images(path, input_shape=shape, preprocessing=None)

    refuses(tmp_path / "missing", "no file or folder")
    refuses(tmp_path, "has no image files")
    (tmp_path / "a.png").write_bytes(b"nothing")
    refuses(tmp_path / "a.png", "cannot be read as an image")
    refuses(tmp_path / "a.png", "reads 5 channels", (5, 2, 2))
    (tmp_path / "a.npz").write_bytes(b"nothing")
    refuses(tmp_path / "a.npz", "cannot be read as an .npz file")
    np.savez(tmp_path / "b.npz", pictures=np.zeros(3))
    refuses(tmp_path / "b.npz", "has no array 'images'")
    np.savez(tmp_path / "c.npz", images=np.zeros((2, 2, 2, 1), np.uint8))
    refuses(tmp_path / "c.npz", r"expected \[N, 1, 2, 2\]")
    np.savez(tmp_path / "d.npz", images=np.zeros((2, 1, 2, 2)))
    refuses(tmp_path / "d.npz", "is float64; expected uint8 or float32")
    np.savez(tmp_path / "e.npz", images=np.zeros((2, 1, 2, 2), np.uint8), labels=np.zeros(3))
    refuses(tmp_path / "e.npz", r"expected \[2\]")
    with pytest.raises(InputError, match="at least 1"):
        random_images(0, (1, 2, 2))
