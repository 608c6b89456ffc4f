"""Fashion-MNIST's four files with a few real images in them: those that come with bdnet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from bdnet import zoo

TRAINING = 300


def write(folder: Path) -> Path:
    """Writes the files into ``folder``, which is returned: 300 images to train on, 100 to test."""
    path = zoo.held_out_images("fashion-mnist")
    assert path is not None
    with np.load(path) as arrays:
        for name, part in (("train", slice(0, TRAINING)), ("t10k", slice(TRAINING, None))):
            _write_idx(folder / f"{name}-images-idx3-ubyte", arrays["images"][part, 0])
            _write_idx(folder / f"{name}-labels-idx1-ubyte", arrays["labels"][part])
    return folder


def _write_idx(path: Path, values: npt.NDArray[np.uint8]) -> None:
    header = bytes([0, 0, 8, values.ndim])
    header += b"".join(size.to_bytes(4, "big") for size in values.shape)
    path.write_bytes(header + values.tobytes())
