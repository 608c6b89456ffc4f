"""A data set as a training takes it: divided, with its classes and its normalisation."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bdnet.data.files import ImageFiles
from bdnet.data.images import Images
from bdnet.preprocessing import Preprocessing

IMAGENET = Preprocessing(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
"""What networks trained on ImageNet take, so that one of them can be a teacher."""


@dataclass(frozen=True)
class DataSet:
    """Three parts that share no image, for three purposes.

    Args:
        name: as reports call it.
        training: what gradients are computed from.
        validation: what choices are made by, such as the best epoch.
        test: for one measurement when all choices are made; None where there is none.
        classes: a name for each label.
        shape: (C, H, W) of an image.
    """

    name: str
    training: Images | ImageFiles
    validation: Images | ImageFiles
    test: Images | ImageFiles | None
    preprocessing: Preprocessing
    classes: tuple[str, ...]
    shape: tuple[int, int, int]


def cache_folder(name: str) -> Path:
    """Where the data set called ``name`` is looked for when nothing else is said."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "bdnet" / name
