"""Packing v1 against vectors worked out by hand, which the C++ tests read too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from bdnet import InputError
from bdnet.packing import pack_plane, packed_bytes, unpack_plane

GOLDEN = Path(__file__).parents[1] / "golden" / "packing_v1.txt"
VALUES = {"+": 1, "0": 0, "-": -1}


@dataclass(frozen=True)
class Vector:
    """A line of the golden file: weights as text, planes as bytes."""

    kind: str
    use: str
    kernel: tuple[int, int]
    channels: int
    weights: str
    planes: tuple[bytes, ...]


def _vectors() -> list[Vector]:
    lines = [line.split() for line in GOLDEN.read_text().splitlines()]
    return [
        Vector(
            w[0], w[1], (int(w[2]), int(w[3])), int(w[4]), w[5], tuple(map(bytes.fromhex, w[6:]))
        )
        for w in lines
        if w and not w[0].startswith("#")
    ]


VECTORS = _vectors()


def _plane(packed: bytes, vector: Vector) -> torch.Tensor:
    tensor = torch.tensor([list(packed)], dtype=torch.uint8)
    return unpack_plane(tensor, vector.kernel, vector.channels).flatten().to(torch.int64)


@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_reading(vector: Vector) -> None:
    expected = [VALUES[character] for character in vector.weights]
    planes = [_plane(packed, vector) for packed in vector.planes]
    assert len(planes) == (2 if vector.kind == "ternary" else 1)
    values = planes[0] + planes[1] - 1 if len(planes) == 2 else planes[0] * 2 - 1
    assert values.tolist() == expected


@pytest.mark.parametrize("vector", [v for v in VECTORS if v.use == "both"], ids=str)
def test_writing(vector: Vector) -> None:
    weights = torch.tensor([VALUES[character] for character in vector.weights])
    # (ky, kx, channel) as the file has it, to the [M, Cg, kh, kw] of a PyTorch weight.
    shaped = weights.reshape(1, *vector.kernel, vector.channels).permute(0, 3, 1, 2)
    # sign(w - d) and sign(w + d) with d = 1/2 are w > 0 and w >= 0.
    planes = [shaped > 0, shaped >= 0] if vector.kind == "ternary" else [shaped > 0]
    written = [bytes(pack_plane(plane)[0].tolist()) for plane in planes]
    assert written == list(vector.planes)


def test_the_examples_in_the_documentation() -> None:
    filter_3x3 = torch.tensor([[1, 0, 1], [0, 1, 0], [1, 1, 0]]).bool().reshape(1, 1, 3, 3)
    assert bytes(pack_plane(filter_3x3)[0].tolist()).hex() == "d500"
    taps = torch.tensor([[1, 1, 0, 0, 1], [0, 1, 1, 1, 0]]).bool()
    assert bytes(pack_plane(taps.t().reshape(1, 5, 1, 2))[0].tolist()).hex() == "d301"


def test_any_shape_comes_back() -> None:
    generator = torch.Generator().manual_seed(0)
    for channels in (1, 3, 7, 8, 9, 33, 300):
        for kernel in ((1, 1), (3, 3), (5, 2)):
            plane = torch.rand(4, channels, *kernel, generator=generator) < 0.5
            packed = pack_plane(plane)
            assert packed.shape == (4, packed_bytes(kernel, channels))
            back = unpack_plane(packed, kernel, channels)
            assert torch.equal(back.permute(0, 3, 1, 2).bool(), plane)


def test_bytes_that_do_not_fit_are_told() -> None:
    with pytest.raises(InputError, match=r"need \[filters, 2\]"):
        unpack_plane(torch.zeros(4, 3, dtype=torch.uint8), (3, 3), 1)
