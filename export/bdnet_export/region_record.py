"""What the regions of a file read and should put out, noted so that a device can be asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bdnet_export.cut_file import cut_file, given
from bdnet_export.regions import Part, Region
from bdnet_runtime.region_reference import RegionBatch, RegionReference


@dataclass(frozen=True)
class RegionQuestion:
    """A file cut at the borders of its regions, and what each of them should compute."""

    model: bytes
    reference: RegionReference


@dataclass(frozen=True)
class Cut:
    """Regions of a file that are run each by itself.

    Args:
        parts: one a region.
        names: what to call each value that a region puts out.
    """

    regions: Sequence[Region]
    parts: Sequence[Part]
    names: Mapping[str, str]

    def batch(self, values: Mapping[str, npt.NDArray[Any]], count: int) -> RegionBatch:
        """Of ``values`` by their names in the file, what goes in and comes out."""
        read = {name for part in self.parts for name in part.inputs}
        return RegionBatch(
            count,
            {given(name): values[name] for name in sorted(read)},
            {self.names[name]: np.asarray(values[name]) for name in self.outputs},
        )

    @property
    def outputs(self) -> list[str]:
        """Values that leave the regions."""
        return [name for region in self.regions for name in region.outputs]

    def question(self, batches: Sequence[RegionBatch]) -> RegionQuestion:
        """What is to be computed on these batches."""
        tolerances = {self.names[n]: r.tolerance for r in self.regions for n in r.outputs}
        model = cut_file(self.parts, {name: self.names[name] for name in self.outputs})
        return RegionQuestion(model, RegionReference(tolerances, batches))


class RegionRecord:
    """What a comparison here has computed, for another one elsewhere."""

    def __init__(self) -> None:
        self._cuts: tuple[Cut, Cut] | None = None
        self._batches: list[RegionBatch] = []
        self._first: RegionBatch | None = None

    def begin(self, borders: Cut, layers: Cut) -> None:
        """To be called first.

        Args:
            borders: regions with what leaves them: compared on every image.
            layers: regions with every layer's output as well: compared on the first image.
        """
        self._cuts = borders, layers

    def kinds(self) -> Counter[str]:
        """How many regions there are of each kind."""
        assert self._cuts is not None
        return Counter(region.kind for region in self._cuts[0].regions)

    def add(self, values: Mapping[str, npt.NDArray[Any]], count: int) -> None:
        """A batch of which ``count`` images count; ``values`` by their names in the file."""
        assert self._cuts is not None
        borders, layers = self._cuts
        self._batches.append(borders.batch(values, count))
        if self._first is None:
            self._first = layers.batch(values, 1)

    def question(self) -> RegionQuestion:
        """Every image, what leaves each region."""
        assert self._cuts is not None
        return self._cuts[0].question(self._batches)

    def layer_question(self) -> RegionQuestion:
        """The first image, every layer."""
        assert self._cuts is not None
        assert self._first is not None
        return self._cuts[1].question([self._first])
