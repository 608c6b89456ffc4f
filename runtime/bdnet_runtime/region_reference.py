"""What the regions of a file should compute, each by itself: a reference for any module.

Where float layers stand between binary regions, one comparison of what leaves the last of them
proves nothing. So the file is cut at the border of each region: what a region reads is an input of
the cut file, with the value that it should have, and what it puts out is an output.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bdnet_runtime.errors import InputError
from bdnet_runtime.verification import Array

_ABOUT, _INPUT, _OUTPUT = "regions", "input:", "output:"


@dataclass(frozen=True)
class RegionBatch:
    """Some images: what the regions read, and what they should put out.

    Args:
        count: how many images count; where the batch is fixed, more may fill it up.
        inputs: by the cut file's inputs.
        outputs: by its outputs, float32 [N, ...].
    """

    count: int
    inputs: dict[str, npt.NDArray[Any]]
    outputs: dict[str, Array]


@dataclass(frozen=True)
class RegionReference:
    """What a cut file should compute.

    Args:
        tolerances: by its outputs, in the order of the network: how large an error may be, of the
            largest value of a batch; None: equal to the bit.
    """

    tolerances: dict[str, float | None]
    batches: Sequence[RegionBatch]

    def save(self, path: Path) -> None:
        about = {"counts": [b.count for b in self.batches], "tolerances": self.tolerances}
        arrays: dict[str, Any] = {_ABOUT: json.dumps(about)}
        for index, batch in enumerate(self.batches):
            arrays |= {f"{index}:{_INPUT}{name}": a for name, a in batch.inputs.items()}
            arrays |= {f"{index}:{_OUTPUT}{name}": a for name, a in batch.outputs.items()}
        np.savez(path, **arrays)


@dataclass(frozen=True)
class SavedRegions:
    """A saved `RegionReference`, of which one batch at a time is in memory.

    Args:
        counts: how many images of each batch count.
    """

    path: Path
    counts: list[int]
    tolerances: dict[str, float | None]

    @classmethod
    def open(cls, path: Path) -> SavedRegions | None:
        """None where ``path`` is something else, or damaged, as `Reference.load` then tells."""
        try:
            with np.load(path) as arrays:
                if _ABOUT not in arrays.files:
                    return None
                about = json.loads(str(arrays[_ABOUT]))
        except (OSError, ValueError):
            return None
        return cls(path, about["counts"], about["tolerances"])

    def batches(self) -> Iterator[RegionBatch]:
        with np.load(self.path) as arrays:
            for index, count in enumerate(self.counts):
                inputs, outputs = (
                    {
                        name.removeprefix(start): arrays[name]
                        for name in arrays.files
                        if name.startswith(start)
                    }
                    for start in (f"{index}:{_INPUT}", f"{index}:{_OUTPUT}")
                )
                if outputs.keys() != self.tolerances.keys():
                    raise InputError(f"{self.path} is damaged: it lacks values of batch {index}")
                yield RegionBatch(count, inputs, outputs)
