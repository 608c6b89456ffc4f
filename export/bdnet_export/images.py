"""Images to validate on: from a file, a folder, or a generator with a fixed seed."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from bdnet import InputError, Preprocessing

_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm", ".webp", ".tif", ".tiff")


@dataclass(frozen=True)
class ImageSet:
    """Inputs of a network.

    Args:
        images: float32 [N, C, H, W], preprocessed.
        labels: int64 [N], where known.
        description: for reports, such as "400 images of fashion_mnist_held_out.npz".
    """

    images: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64] | None
    description: str


def random_images(count: int, input_shape: tuple[int, int, int], seed: int = 0) -> ImageSet:
    """``count`` images of standard normal noise, the same for the same seed."""
    if count < 1:
        raise InputError(f"{count} random images asked for; expected at least 1")
    generator = np.random.default_rng(seed)
    images = generator.standard_normal((count, *input_shape), dtype=np.float32)
    return ImageSet(images, None, f"{count} random images (seed {seed})")


def load_images(
    path: str | Path, *, input_shape: tuple[int, int, int], preprocessing: Preprocessing | None
) -> ImageSet:
    """Reads images and prepares them for a network.

    Args:
        path: an ``.npz`` file with ``images`` (uint8 or float32 [N, C, H, W]) and, if there are
            any, ``labels`` [N]; one image file; or a folder with image files at any depth, taken
            in the order of their paths.
        input_shape: (C, H, W); image files are resized to it, arrays must have it.
        preprocessing: applied to bytes. Without one, bytes are divided by 255. Float arrays are
            taken as they are.

    Raises:
        InputError: no such path, no images in it, or images of another shape.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(f for f in path.rglob("*") if f.suffix.lower() in _IMAGE_SUFFIXES)
        if not files:
            raise InputError(
                f"folder {path} has no image files; expected some of {', '.join(_IMAGE_SUFFIXES)}"
            )
        stack = np.stack([_read_image(file, input_shape) for file in files])
        return ImageSet(_prepare(stack, preprocessing), None, f"{len(files)} images of {path}")
    if not path.is_file():
        raise InputError(f"there is no file or folder {path} to read images from")
    if path.suffix == ".npz":
        return _read_npz(path, input_shape, preprocessing)
    stack = _read_image(path, input_shape)[np.newaxis]
    return ImageSet(_prepare(stack, preprocessing), None, f"image {path.name}")


def _prepare(
    images: npt.NDArray[np.uint8], preprocessing: Preprocessing | None
) -> npt.NDArray[np.float32]:
    if preprocessing is not None:
        return preprocessing(images)
    return np.asarray(images.astype(np.float32) / np.float32(255), np.float32)


def _read_image(path: Path, input_shape: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    channels, height, width = input_shape
    if channels not in (1, 3):
        raise InputError(
            f"{path} is an image file, but the network reads {channels} channels; "
            "give an .npz file with 'images' instead"
        )
    try:
        with Image.open(path) as image:
            resized = image.convert("L" if channels == 1 else "RGB").resize(
                (width, height), Image.Resampling.BILINEAR
            )
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} cannot be read as an image: {error}") from None
    array = np.asarray(resized, np.uint8).reshape(height, width, channels)
    return array.transpose(2, 0, 1)


def _read_npz(
    path: Path, input_shape: tuple[int, int, int], preprocessing: Preprocessing | None
) -> ImageSet:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if "images" not in arrays:
                raise InputError(f"{path} has no array 'images'; it has {sorted(arrays)}")
            images = arrays["images"]
            labels = arrays["labels"].astype(np.int64) if "labels" in arrays else None
    except (OSError, ValueError, TypeError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read as an .npz file: {error}") from None
    expected = f"[N, {', '.join(map(str, input_shape))}]"
    if images.ndim != 4 or images.shape[1:] != input_shape or len(images) == 0:
        raise InputError(f"'images' in {path} has shape {list(images.shape)}; expected {expected}")
    if labels is not None and labels.shape != (len(images),):
        raise InputError(
            f"'labels' in {path} has shape {list(labels.shape)}; expected [{len(images)}]"
        )
    if images.dtype == np.uint8:
        prepared = _prepare(images, preprocessing)
    elif images.dtype == np.float32:
        prepared = images
    else:
        raise InputError(f"'images' in {path} is {images.dtype}; expected uint8 or float32")
    return ImageSet(prepared, labels, f"{len(images)} images of {path.name}")
