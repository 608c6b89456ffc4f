"""Labelled images in memory, and how a data set is divided."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

VALIDATION_FRACTION = 12
"""One training image in twelve is held out for validation ..."""
VALIDATION_MOST = 10_000
"""... but no more than these."""
SPLIT_SEED = 2017


@dataclass(frozen=True)
class Images:
    """Labelled images: ``images`` uint8 [N, C, H, W], ``labels`` uint8 [N]."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def pixels(self) -> int:
        """Of one image."""
        return int(self.images.shape[2] * self.images.shape[3])

    def chosen(self, indices: npt.NDArray[np.int64]) -> Images:
        """Those at ``indices``."""
        return Images(self.images[indices], self.labels[indices])

    def digest(self) -> str:
        """SHA-256 of images and labels."""
        content = hashlib.sha256(np.ascontiguousarray(self.images).data)
        content.update(self.labels.data)
        return content.hexdigest()


def split_indices(count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Which of ``count`` images are for training and which for validation, in ascending order.

    The same in every run, whatever the run's seed.
    """
    order: npt.NDArray[Any] = np.random.default_rng(SPLIT_SEED).permutation(count)
    held_out = min(count // VALIDATION_FRACTION, VALIDATION_MOST)
    return np.sort(order[held_out:]), np.sort(order[:held_out])


def split(images: Images) -> tuple[Images, Images]:
    """Training and validation images."""
    training, validation = split_indices(len(images))
    return images.chosen(training), images.chosen(validation)
