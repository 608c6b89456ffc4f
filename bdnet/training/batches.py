"""The batches of an epoch: which images, in which order, changed how."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bdnet.data.files import ImageFiles
from bdnet.data.images import Images
from bdnet.preprocessing import Preprocessing
from bdnet.training.augmentation import Moves, draw_moves, move
from bdnet.training.recipe import Recipe

LabelledImages: TypeAlias = Images | ImageFiles
Batch = tuple[Tensor, Tensor]
"""Normalised images float32 [n, C, H, W] and labels int64 [n]."""

_EVALUATED_IMAGES, _EVALUATED_PIXELS = 500, 1_600_000
_AHEAD = 2
"""Batches of image files that are read while another is computed on."""


@dataclass(frozen=True)
class Share:
    """Which images of each batch a process takes: every ``of``-th, from ``first`` on."""

    first: int = 0
    of: int = 1


@dataclass(frozen=True)
class _Plan:
    """One batch before its images are read; ``crops`` float64 [n, 4], or None for the middle."""

    chosen: npt.NDArray[np.int64]
    crops: npt.NDArray[np.float64] | None = None
    moves: Moves | None = None


def training_batches(
    data: LabelledImages,
    recipe: Recipe,
    epoch: int,
    preprocessing: Preprocessing,
    share: Share,
) -> Iterator[Batch]:
    """The full batches of one epoch, from random numbers that belong to it alone."""
    plans = _plans(data, recipe, epoch, share)
    return _batches(data, plans, preprocessing, recipe.threads)


def evaluation_batches(
    data: LabelledImages, preprocessing: Preprocessing, workers: int
) -> Iterator[Batch]:
    """All images in their order, unchanged, as many at a time as do not fill the memory."""
    indices = np.arange(len(data))
    size = max(1, min(_EVALUATED_IMAGES, _EVALUATED_PIXELS // data.pixels))
    plans = (_Plan(indices[start : start + size]) for start in range(0, len(data), size))
    return _batches(data, plans, preprocessing, workers)


def _plans(data: LabelledImages, recipe: Recipe, epoch: int, share: Share) -> Iterator[_Plan]:
    """Every process draws the numbers of the whole batch and takes its share of them.

    So an image is changed in the same way however many processes there are.
    """
    generator = recipe.epoch_generator(epoch)
    n, mine = recipe.batch_size, slice(share.first, None, share.of)
    order = torch.randperm(len(data), generator=generator)
    cropped = isinstance(data, ImageFiles) and recipe.smallest_crop < 1
    for step in range(len(data) // n):
        chosen = order[step * n : (step + 1) * n]
        moves = draw_moves(n, recipe.shift, recipe.flip, generator)
        crops = None
        if cropped:
            numbers = torch.rand((n, 4), generator=generator, dtype=torch.float64)
            numbers[:, 0] = recipe.smallest_crop + (1 - recipe.smallest_crop) * numbers[:, 0]
            crops = numbers[mine].numpy()
        yield _Plan(chosen[mine].numpy(), crops, moves.part(mine))


def _batches(
    data: LabelledImages, plans: Iterator[_Plan], preprocessing: Preprocessing, workers: int
) -> Iterator[Batch]:
    read = _from_memory if isinstance(data, Images) else _from_files
    for plan, images in read(data, plans, workers):  # type: ignore[arg-type]
        if plan.moves is not None:
            images = move(images, plan.moves)
        labels = torch.from_numpy(data.labels[plan.chosen]).long()
        yield torch.from_numpy(preprocessing(images.numpy())), labels


def _from_memory(
    data: Images, plans: Iterator[_Plan], workers: int
) -> Iterator[tuple[_Plan, Tensor]]:
    for plan in plans:
        yield plan, torch.from_numpy(data.images[plan.chosen])


def _from_files(
    data: ImageFiles, plans: Iterator[_Plan], workers: int
) -> Iterator[tuple[_Plan, Tensor]]:
    """Reads with ``workers`` threads: Pillow lets go of Python's lock while it decodes."""
    waiting: deque[tuple[_Plan, list[Future[npt.NDArray[np.uint8]]]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for plan in plans:
                crops = [None] * len(plan.chosen) if plan.crops is None else plan.crops
                images = [
                    pool.submit(data.read, int(index), crop)
                    for index, crop in zip(plan.chosen, crops, strict=True)
                ]
                waiting.append((plan, images))
                if len(waiting) > _AHEAD:
                    yield _finished(*waiting.popleft())
            while waiting:
                yield _finished(*waiting.popleft())
        finally:
            # Whoever stops in the middle need not wait for what was asked for ahead.
            for _, images in waiting:
                for image in images:
                    image.cancel()


def _finished(plan: _Plan, images: list[Future[npt.NDArray[np.uint8]]]) -> tuple[_Plan, Tensor]:
    return plan, torch.from_numpy(np.stack([image.result() for image in images]))
