"""Random changes to training images that leave their class alone."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def flip_and_shift(images: Tensor, pixels: int, generator: torch.Generator) -> Tensor:
    """Mirrors half of the images and moves each by up to ``pixels`` in both directions.

    What comes in at an edge is 0. Every random number is drawn from ``generator``.

    Args:
        images: uint8 [N, C, H, W].

    Returns:
        uint8 [N, C, H, W].
    """
    n, _, h, w = images.shape
    rows = torch.randint(2 * pixels + 1, (n, 1), generator=generator) + torch.arange(h)
    columns = torch.randint(2 * pixels + 1, (n, 1), generator=generator) + torch.arange(w)
    mirrored = torch.randint(2, (n, 1), generator=generator).bool()
    columns = torch.where(mirrored, columns.flip(1), columns)
    padded = F.pad(images, (pixels, pixels, pixels, pixels))
    image = torch.arange(n).view(n, 1, 1)
    # Indexing on both sides of the channels puts them last.
    return padded[image, :, rows.unsqueeze(2), columns.unsqueeze(1)].permute(0, 3, 1, 2)
