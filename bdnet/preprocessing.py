"""From image bytes to what a network takes in."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bdnet.errors import InputError


@dataclass(frozen=True)
class Preprocessing:
    """x = (byte / 255 - mean) / std, per channel, each step rounded to float32.

    Args:
        mean, std: one number a channel, in units of the full range (0 to 1).
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std) or not self.mean or min(self.std) <= 0:
            raise InputError(
                f"preprocessing has mean {self.mean} and std {self.std}; "
                "it needs one mean and one positive std for each channel"
            )

    def __call__(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """uint8 [N, C, H, W] -> float32 [N, C, H, W]."""
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] != len(self.mean):
            raise InputError(
                f"images are {images.dtype} {list(images.shape)}; "
                f"expected uint8 [N, {len(self.mean)}, H, W]"
            )
        mean = np.asarray(self.mean, np.float32).reshape(1, -1, 1, 1)
        std = np.asarray(self.std, np.float32).reshape(1, -1, 1, 1)
        unit = images.astype(np.float32) / np.float32(255)
        return np.asarray((unit - mean) / std, np.float32)

    def to_dict(self) -> dict[str, Any]:
        return {key: list(value) for key, value in asdict(self).items()}

    @staticmethod
    def from_dict(fields: dict[str, Any]) -> Preprocessing:
        try:
            return Preprocessing(tuple(fields["mean"]), tuple(fields["std"]))
        except (KeyError, TypeError):
            raise InputError(
                f"preprocessing is {fields!r}; expected {{'mean': [...], 'std': [...]}}"
            ) from None
