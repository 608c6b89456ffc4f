"""Is what a file computes here what it should? The same code on a workstation and on a board.

The features that leave the binary body must be equal; behind them float libraries add in their own
order, so logits have a tolerance (docs/numerics.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bdnet_runtime.errors import InputError


@dataclass(frozen=True)
class LogitRule:
    """How far what comes after the last sign may be off.

    Args:
        tolerance: of the largest logit of the image.
        same_class: the top class must be the same.
    """

    tolerance: float
    same_class: bool


FLOAT_LOGITS = LogitRule(1e-5, same_class=True)
INT8_LOGITS = LogitRule(5e-2, same_class=False)
"""Of a file whose classifier is int8, against the float one: what is rounded to 8 bits is off by a
hundredth or so. Where two classes are that close, the other one may win."""

Array = npt.NDArray[np.float32]
Images = npt.NDArray[np.float32] | npt.NDArray[np.uint8]

_IMAGES, _LOGITS, _VALUE = "images", "logits", "value:"
_TOLERANCE, _SAME_CLASS = "logit tolerance", "logit same_class"


def differing(expected: Array, got: Array) -> npt.NDArray[np.bool_]:
    """Where two arrays differ by the contract's equality: IEEE ==, and NaN equals NaN."""
    return np.asarray((expected != got) & ~(np.isnan(expected) & np.isnan(got)))


@dataclass(frozen=True)
class Reference:
    """What a file should compute.

    Args:
        images: its input, float32 [N, C, H, W] or uint8 [N, H, W, C].
        logits: its first output, [N, classes], to what ``rule`` allows.
        values: further outputs by name, in the order of the network, each [N, ...], to the bit.
    """

    images: Images
    logits: Array
    values: dict[str, Array]
    rule: LogitRule = FLOAT_LOGITS

    def save(self, path: Path) -> None:
        arrays: dict[str, Any] = {_IMAGES: self.images, _LOGITS: self.logits}
        arrays |= {_TOLERANCE: self.rule.tolerance, _SAME_CLASS: self.rule.same_class}
        arrays |= {_VALUE + name: value for name, value in self.values.items()}
        np.savez(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> Reference:
        """Raises `InputError` where ``path`` holds no reference."""
        try:
            with np.load(path) as arrays:
                values = {
                    name.removeprefix(_VALUE): np.asarray(arrays[name])
                    for name in arrays.files
                    if name.startswith(_VALUE)
                }
                rule = LogitRule(float(arrays[_TOLERANCE]), bool(arrays[_SAME_CLASS]))
                return cls(arrays[_IMAGES], arrays[_LOGITS], values, rule)
        except (OSError, ValueError, KeyError) as error:
            raise InputError(
                f"{path} is no reference to compare with ({error}); expected an .npz with "
                f"{_IMAGES!r}, {_LOGITS!r}, {_TOLERANCE!r}, {_SAME_CLASS!r} and "
                f"'{_VALUE}NAME' for each value"
            ) from None

    def batches(self, size: int) -> Iterator[tuple[int, Reference]]:
        """The position of the first image of each part of ``size`` images, and the part."""
        for begin in range(0, len(self.images), size):
            part = slice(begin, begin + size)
            values = {name: value[part] for name, value in self.values.items()}
            yield begin, Reference(self.images[part], self.logits[part], values, self.rule)


class Tally:
    """What of a file's results has differed so far."""

    def __init__(self, rule: LogitRule = FLOAT_LOGITS) -> None:
        self.rule = rule
        self.compared = self.different = 0
        self.failing_image: int | None = None
        self.worst_logit = 0.0
        self.top1: list[int] = []
        self.wrong_logits: list[int] = []
        self.other_class = 0

    def add_values(self, begin: int, expected: Array, got: Array) -> None:
        """Of the images from ``begin`` on, values that must be equal."""
        wrong = differing(expected, got).reshape(len(expected), -1).sum(axis=1)
        self.compared += expected.size
        self.different += int(wrong.sum())
        if wrong.any():
            first = begin + int(np.argmax(wrong > 0))
            if self.failing_image is None or first < self.failing_image:
                self.failing_image = first

    def add_logits(self, begin: int, expected: Array, got: Array) -> None:
        """Of the images from ``begin`` on, [n, classes]."""
        largest = np.maximum(np.abs(expected).max(axis=1), np.finfo(np.float32).tiny)
        error = np.abs(got - expected).max(axis=1) / largest
        top1 = got.argmax(axis=1)
        # Written so that a NaN counts as an error.
        bad, other = ~(error <= self.rule.tolerance), top1 != expected.argmax(axis=1)
        if self.rule.same_class:
            bad |= other
        self.other_class += int(other.sum())
        self.wrong_logits += [begin + int(i) for i in np.flatnonzero(bad)]
        self.worst_logit = max(self.worst_logit, float(np.nan_to_num(error, nan=np.inf).max()))
        self.top1 += [int(i) for i in top1]

    @property
    def passed(self) -> bool:
        return self.different == 0 and not self.wrong_logits

    def describe_values(self) -> str:
        return f"{self.different:,} of {self.compared:,} values differ on {len(self.top1)} images"

    def describe_logits(self) -> str:
        shown = (
            f"largest error {self.worst_logit:.1e} of the largest logit, "
            f"tolerance {self.rule.tolerance:.0e}"
        )
        if not self.rule.same_class:
            count = len(self.top1)
            same = count - self.other_class
            shown += f"; top class the float classifier's on {same} of {count} images"
        if self.wrong_logits:
            wrong = " or have another top class" if self.rule.same_class else ""
            shown += (
                f"; {len(self.wrong_logits)} of {len(self.top1)} images are outside it{wrong}, "
                f"the first is image {self.wrong_logits[0]}"
            )
        return shown


@dataclass(frozen=True)
class Difference:
    """Where one image's values [h, w, C] of a layer differ: how many, and the first of them."""

    values: int
    of: int
    channels: int
    all_channels: int
    row: int
    column: int
    channel: int
    expected: float
    got: float

    @classmethod
    def between(cls, expected: Array, got: Array) -> Difference | None:
        """None where they are equal. Values that are no map count as rows of channels."""
        expected, got = _as_map(expected), _as_map(got)
        wrong = differing(expected, got)
        if not wrong.any():
            return None
        y, x, c = (int(i) for i in np.argwhere(wrong)[0])
        return cls(
            int(wrong.sum()),
            wrong.size,
            int(wrong.any(axis=(0, 1)).sum()),
            wrong.shape[2],
            *(y, x, c),
            float(expected[y, x, c]),
            float(got[y, x, c]),
        )

    def describe(self, layer: str, image: int | None) -> str:
        return (
            f"{layer}: {self.values:,} of {self.of:,} values differ on image {image}, in "
            f"{self.channels} of {self.all_channels} channels; first at row {self.row}, column "
            f"{self.column}, channel {self.channel}: expected {self.expected!r}, got {self.got!r}"
        )


def _as_map(values: Array) -> Array:
    """Values of one image, of any rank, as [h, w, C]."""
    rows = values.shape[0] if values.ndim > 2 else 1
    return values.reshape(rows, -1, values.shape[-1] if values.ndim else 1)


def require_shapes(expected: Sequence[Array], got: Sequence[Array], names: Sequence[str]) -> None:
    """Raises `InputError` where results have other shapes than the reference."""
    for wanted, found, name in zip(expected, got, names, strict=True):
        if wanted.shape != found.shape:
            raise InputError(
                f"the file computes {name} of shape {list(found.shape)}, the network "
                f"{list(wanted.shape)}: it was exported from another configuration"
            )


def fill_batch(images: Images, batch: int | None) -> Images:
    """Repeats the last image up to a full batch, for files whose batch is fixed."""
    if batch is None or len(images) == batch:
        return images
    return np.concatenate([images, np.repeat(images[-1:], batch - len(images), axis=0)])


def layer_report(name: str, reference: Array, got: Array) -> dict[str, Any]:
    """One layer over all images: how many values differ, and the first of the first image."""
    wrong = differing(reference, got).reshape(len(reference), -1).any(axis=1)
    first = int(np.argmax(wrong)) if wrong.any() else None
    difference = None if first is None else Difference.between(reference[first], got[first])
    return {
        "name": name,
        "values": int(reference.size),
        "different": int(differing(reference, got).sum()),
        "first_image": first,
        "first": None if difference is None or first is None else difference.describe(name, first),
    }
