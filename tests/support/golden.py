"""The files that each release exported, and what they compute: what later releases must keep.

``tests/golden/releases/VERSION/`` holds .onnx files and ``expected.npz``: for each file its input
(NAME/input) and the values that are equal bit for bit (NAME/PATH OF THE VALUE).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests" / "golden" / "releases"
EXPECTED = "expected.npz"


def _version(folder: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in folder.name.split("."))


RELEASES = sorted(FOLDER.iterdir(), key=_version)
"""A folder for each release, the oldest first."""


@dataclass(frozen=True)
class GoldenFile:
    """A file of a release.

    Args:
        input: images or other values, [N, ...].
        values: what the file computes from them, by the names of the values.
    """

    path: Path
    input: npt.NDArray[Any]
    values: dict[str, npt.NDArray[np.float32]]

    def __str__(self) -> str:
        return f"{self.path.parent.name}/{self.path.stem}"


def golden_files() -> list[GoldenFile]:
    """Every file of every release."""
    files = []
    for folder in RELEASES:
        arrays = np.load(folder / EXPECTED)
        for path in sorted(folder.glob("*.onnx")):
            own = {
                name.removeprefix(f"{path.stem}/"): arrays[name]
                for name in arrays.files
                if name.startswith(f"{path.stem}/")
            }
            files.append(GoldenFile(path, own.pop("input"), own))
    return files
