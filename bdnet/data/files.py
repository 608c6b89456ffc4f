"""Labelled images that stay in their files until a batch needs them."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bdnet.errors import InputError

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")

_MARGIN = 8 / 7
"""An image is scaled to this times the size it is cropped to: 256 for 224."""
_NARROWEST = 3 / 4
"""Width by height of the narrowest crop; the widest is its inverse."""


@dataclass(frozen=True)
class ImageFiles:
    """Labelled image files, read as they are asked for.

    Args:
        paths: the files.
        labels: int64 [N].
        size: height and width that each image is made into.
    """

    paths: tuple[Path, ...]
    labels: npt.NDArray[np.int64]
    size: int

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def pixels(self) -> int:
        """Of one image."""
        return self.size**2

    def chosen(self, indices: npt.NDArray[np.int64]) -> ImageFiles:
        """Those at ``indices``."""
        paths = tuple(self.paths[index] for index in indices)
        return ImageFiles(paths, self.labels[indices], self.size)

    def digest(self) -> str:
        """SHA-256 of names, sizes and labels; reading every pixel would take too long."""
        content = hashlib.sha256(self.labels.tobytes())
        for path in self.paths:
            try:
                size = path.stat().st_size
            except OSError as error:
                raise InputError(f"{path} is not there ({error.strerror}): get it again") from None
            content.update(f"{path.parent.name}/{path.name} {size}\n".encode())
        return content.hexdigest()

    def read(
        self, index: int, crop: npt.NDArray[np.float64] | None = None
    ) -> npt.NDArray[np.uint8]:
        """One image, scaled to the size.

        Args:
            crop: which part of it, stretched to the size (Szegedy et al., 2015): [share of the
                area, place between the narrowest and the widest, between left and right, between
                top and bottom], each from 0 to 1. By default the middle, with seven eighths of the
                shorter side.

        Returns:
            uint8 [3, size, size], red first.

        Raises:
            InputError: the file is no image that Pillow reads.
        """
        from PIL import Image, ImageOps, UnidentifiedImageError

        path = self.paths[index]
        try:
            with Image.open(path) as opened:
                # Cameras write a photograph as it is read out, and beside it which way is up.
                picture = ImageOps.exif_transpose(opened).convert("RGB")
        except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
            raise InputError(f"{path} cannot be read as an image ({error}): remove it") from None
        width, height = picture.size
        box = _centre_box(width, height) if crop is None else _crop_box(width, height, crop)
        scaled = picture.resize((self.size, self.size), Image.Resampling.BILINEAR, box=box)
        return np.ascontiguousarray(np.asarray(scaled, np.uint8).transpose(2, 0, 1))


Box = tuple[float, float, float, float]


def _centre_box(width: int, height: int) -> Box:
    side = min(width, height) / _MARGIN
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def _crop_box(width: int, height: int, where: npt.NDArray[np.float64]) -> Box:
    area, shape, across, down = map(float, where)
    ratio = math.exp(math.log(_NARROWEST) * (1 - 2 * shape))
    w = min(width, math.sqrt(area * width * height * ratio))
    h = min(height, math.sqrt(area * width * height / ratio))
    left, top = across * (width - w), down * (height - h)
    return left, top, left + w, top + h
