"""Random changes to training images that leave their class alone."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Moves:
    """How each of n images is moved.

    Args:
        down, across: int64 [n, 1], the first row and column that is seen of the padded image.
        mirrored: bool [n, 1], or None where no image is.
        pixels: of padding on each side.
    """

    down: Tensor
    across: Tensor
    mirrored: Tensor | None
    pixels: int

    def part(self, which: slice) -> Moves:
        """Those of some of the images."""
        mirrored = None if self.mirrored is None else self.mirrored[which]
        return Moves(self.down[which], self.across[which], mirrored, self.pixels)


def draw_moves(n: int, pixels: int, flip: bool, generator: torch.Generator) -> Moves:
    """Moves by up to ``pixels`` in both directions; with ``flip`` half of the images are mirrored.

    Every random number is drawn from ``generator``.
    """
    down = torch.randint(2 * pixels + 1, (n, 1), generator=generator)
    across = torch.randint(2 * pixels + 1, (n, 1), generator=generator)
    mirrored = torch.randint(2, (n, 1), generator=generator).bool() if flip else None
    return Moves(down, across, mirrored, pixels)


def move(images: Tensor, moves: Moves) -> Tensor:
    """Moves and mirrors images; what comes in at an edge is 0.

    Args:
        images: uint8 [N, C, H, W].

    Returns:
        uint8 [N, C, H, W].
    """
    n, _, h, w = images.shape
    rows = moves.down + torch.arange(h)
    columns = moves.across + torch.arange(w)
    if moves.mirrored is not None:
        columns = torch.where(moves.mirrored, columns.flip(1), columns)
    padded = F.pad(images, (moves.pixels,) * 4)
    image = torch.arange(n).view(n, 1, 1)
    # Indexing on both sides of the channels puts them last.
    return padded[image, :, rows.unsqueeze(2), columns.unsqueeze(1)].permute(0, 3, 1, 2)
