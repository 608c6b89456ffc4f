"""Packing v1: filters of signs as bit strings. docs/packing.md has worked bytes.

A filter of kh x kw taps and Cg channels is one string of kh * kw * Cg bits in the order (ky, kx,
channel), the channel fastest; bit 0 of byte 0 is the first; 1 means +1. The string is filled up
with zero bits to whole bytes, which readers ignore.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bdnet.errors import InputError

PACKING_VERSION = 1


def packed_bytes(kernel_size: tuple[int, int], channels: int) -> int:
    """Bytes of one packed filter: ceil(kh * kw * channels / 8)."""
    return -(-kernel_size[0] * kernel_size[1] * channels // 8)


def pack_plane(plane: Tensor) -> Tensor:
    """Packs a bit plane of filters.

    Args:
        plane: bool [M, Cg, kh, kw], True for +1.

    Returns:
        uint8 [M, ceil(kh * kw * Cg / 8)].
    """
    bits = plane.permute(0, 2, 3, 1).flatten(1).to(torch.uint8)
    bits = torch.nn.functional.pad(bits, (0, -bits.shape[1] % 8))
    places = torch.tensor([1, 2, 4, 8, 16, 32, 64, 128], dtype=torch.uint8)
    packed: Tensor = (bits.unflatten(1, (-1, 8)) * places).sum(2).to(torch.uint8)
    return packed


def unpack_plane(packed: Tensor, kernel_size: tuple[int, int], channels: int) -> Tensor:
    """The inverse of `pack_plane`: uint8 [M, B] -> uint8 of 0 and 1, [M, kh, kw, Cg].

    Raises:
        InputError: B is not the number of bytes that the shape asks for.
    """
    expected = packed_bytes(kernel_size, channels)
    if packed.dim() != 2 or packed.shape[1] != expected:
        raise InputError(
            f"packed weights have shape {list(packed.shape)}; {kernel_size[0]} x {kernel_size[1]} "
            f"taps of {channels} channels need [filters, {expected}]"
        )
    shifts = torch.arange(8, dtype=torch.uint8, device=packed.device)
    bits = ((packed.unsqueeze(2) >> shifts) & 1).flatten(1)
    used = kernel_size[0] * kernel_size[1] * channels
    filters: Tensor = bits[:, :used].unflatten(1, (*kernel_size, channels))
    return filters
