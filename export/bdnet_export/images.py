"""Images to validate on: from a file, a folder, or a generator with a fixed seed."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from bdnet import InputError, Preprocessing
from bdnet_runtime.verification import Images

_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm", ".webp", ".tif", ".tiff")

ImageShape = tuple[int, int | None, int | None]
"""(C, H, W); height and width None: whatever the images have."""


@dataclass(frozen=True)
class ImageSet:
    """What a file is fed.

    Args:
        images: float32 [N, C, H, W], preprocessed; or uint8 [N, H, W, C], bytes for a file that
            has the preprocessing inside.
        labels: int64 [N], where known.
        description: for reports, such as "400 images of fashion_mnist_held_out.npz".
        more: what the further inputs of a module read, each [N, ...].
    """

    images: Images
    labels: npt.NDArray[np.int64] | None
    description: str
    more: tuple[Images, ...] = ()


def random_images(
    count: int, input_shape: tuple[int, int, int], seed: int = 0, *, as_bytes: bool = False
) -> ImageSet:
    """``count`` images of noise, the same for the same seed.

    Args:
        input_shape: (C, H, W).
        as_bytes: bytes, each as likely as any; otherwise standard normal floats.
    """
    if count < 1:
        raise InputError(f"{count} random images asked for; expected at least 1")
    generator = np.random.default_rng(seed)
    channels, height, width = input_shape
    images: Images
    if as_bytes:
        images = generator.integers(0, 256, (count, height, width, channels), np.uint8)
    else:
        images = generator.standard_normal((count, *input_shape), dtype=np.float32)
    return ImageSet(images, None, f"{count} random images (seed {seed})")


def load_images(
    path: str | Path,
    *,
    input_shape: ImageShape,
    preprocessing: Preprocessing | None,
    as_bytes: bool = False,
) -> ImageSet:
    """Reads images and prepares them for a file.

    Args:
        path: an ``.npz`` file with ``images`` (uint8 or float32 [N, C, H, W]) and, if there are
            any, ``labels`` [N]; one image file; or a folder with image files at any depth, taken
            in the order of their paths.
        input_shape: (C, H, W); image files are resized to it, arrays must have it. Without height
            and width all keep the size they have, which must be one.
        preprocessing: applied to bytes. Without one, bytes are divided by 255. Float arrays are
            taken as they are.
        as_bytes: the file has the preprocessing inside: bytes stay bytes.

    Raises:
        InputError: no such path, no images in it, images of another shape or of several, or floats
            for a file that reads bytes.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(f for f in path.rglob("*") if f.suffix.lower() in _IMAGE_SUFFIXES)
        if not files:
            raise InputError(
                f"folder {path} has no image files; expected some of {', '.join(_IMAGE_SUFFIXES)}"
            )
        stack = _stack(files, input_shape)
        ready = _prepare(stack, preprocessing, as_bytes)
        return ImageSet(ready, None, f"{len(files)} images of {path}")
    if not path.is_file():
        raise InputError(f"there is no file or folder {path} to read images from")
    if path.suffix == ".npz":
        return _read_npz(path, input_shape, preprocessing, as_bytes)
    ready = _prepare(_stack([path], input_shape), preprocessing, as_bytes)
    return ImageSet(ready, None, f"image {path.name}")


def _prepare(
    images: npt.NDArray[np.uint8], preprocessing: Preprocessing | None, as_bytes: bool
) -> Images:
    if as_bytes:
        return np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    if preprocessing is not None:
        return preprocessing(images)
    return np.asarray(images.astype(np.float32) / np.float32(255), np.float32)


def _stack(files: Sequence[Path], input_shape: ImageShape) -> npt.NDArray[np.uint8]:
    images = [_read_image(file, input_shape) for file in files]
    for file, image in zip(files, images, strict=True):
        if image.shape != images[0].shape:
            first, other = (" x ".join(map(str, one.shape[1:])) for one in (images[0], image))
            raise InputError(
                f"the images have several sizes ({files[0].name} is {first}, {file.name} {other}), "
                "and the file reads any; say to which they are resized, for example --size 224,224"
            )
    return np.stack(images)


def _read_image(path: Path, input_shape: ImageShape) -> npt.NDArray[np.uint8]:
    channels, height, width = input_shape
    if channels not in (1, 3):
        raise InputError(
            f"{path} is an image file, but the network reads {channels} channels; "
            "give an .npz file with 'images' instead"
        )
    try:
        with Image.open(path) as image:
            converted = image.convert("L" if channels == 1 else "RGB")
            if height is not None and width is not None:
                converted = converted.resize((width, height), Image.Resampling.BILINEAR)
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} cannot be read as an image: {error}") from None
    array = np.asarray(converted, np.uint8)
    return array.reshape(*array.shape[:2], channels).transpose(2, 0, 1)


def load_arrays(
    path: Path, names: Sequence[str]
) -> tuple[list[npt.NDArray[Any]], npt.NDArray[np.int64] | None]:
    """The arrays of an ``.npz`` file by their names, and its ``labels`` if it has any.

    Raises:
        InputError: it cannot be read, or has no array of such a name.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            for name in names:
                if name not in arrays:
                    raise InputError(f"{path} has no array {name!r}; it has {sorted(arrays)}")
            labels = arrays["labels"].astype(np.int64) if "labels" in arrays else None
            return [arrays[name] for name in names], labels
    except (OSError, ValueError, TypeError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read as an .npz file: {error}") from None


def prepared(
    array: npt.NDArray[Any], preprocessing: Preprocessing | None, as_bytes: bool, what: str
) -> Images:
    """An array as a file reads it: bytes of images as `load_images` says, floats as they are.

    Raises:
        InputError: ``what`` is of another type than the file reads.
    """
    if array.dtype == np.uint8 and array.ndim == 4:
        return _prepare(array, preprocessing, as_bytes)
    if as_bytes:
        raise InputError(f"{what} is {array.dtype}, but the file reads bytes; expected uint8")
    if array.dtype != np.float32:
        raise InputError(f"{what} is {array.dtype}; expected uint8 or float32")
    return array


def _read_npz(
    path: Path, input_shape: ImageShape, preprocessing: Preprocessing | None, as_bytes: bool
) -> ImageSet:
    (images,), labels = load_arrays(path, ["images"])
    known = [length or axis for length, axis in zip(input_shape, "CHW", strict=True)]
    expected = f"[N, {', '.join(map(str, known))}]"
    if (
        images.ndim != 4
        or images.size == 0
        or any(
            length not in (None, found)
            for length, found in zip(input_shape, images.shape[1:], strict=True)
        )
    ):
        raise InputError(f"'images' in {path} has shape {list(images.shape)}; expected {expected}")
    if labels is not None and labels.shape != (len(images),):
        raise InputError(
            f"'labels' in {path} has shape {list(labels.shape)}; expected [{len(images)}]"
        )
    ready = prepared(images, preprocessing, as_bytes, f"'images' in {path}")
    return ImageSet(ready, labels, f"{len(images)} images of {path.name}")
