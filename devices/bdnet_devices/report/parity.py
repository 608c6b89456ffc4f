"""Whether the device computed what PyTorch computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Parity:
    """What a verification on the device found.

    Args:
        first_difference: the first layer that differs; None where none does.
        source: the trained network that it was compared with.
        layers: each with its name, whether it is equal, and what was found; the logits last, where
            they were compared.
    """

    passed: bool
    values_compared: int
    values_different: int
    images: int
    first_difference: str | None
    source: str
    layers: tuple[tuple[str, bool, str], ...]

    @classmethod
    def read(cls, content: dict[str, Any] | None) -> Parity | None:
        if content is None:
            return None
        return cls(
            bool(content["passed"]),
            int(content["values"]),
            int(content["different"]),
            int(content["images"]),
            content["first_difference"],
            str(content["source"]),
            (*map(_layer, content["layers"]), *map(_logits, filter(None, [content["logits"]]))),
        )

    @property
    def found(self) -> str:
        """One sentence, without a full stop."""
        where = "" if self.first_difference is None else f", first in {self.first_difference}"
        return (
            f"{self.values_different:,} of {self.values_compared:,} values differ on "
            f"{self.images} images from {self.source}{where}"
        )


def _layer(layer: dict[str, Any]) -> tuple[str, bool, str]:
    found = f"{layer['different']:,} of {layer['values']:,} values differ"
    if "tolerance" in layer:
        error = "no number" if layer["error"] is None else f"{layer['error']:.2g}"
        found = f"largest error {error} of the largest value, tolerance {layer['tolerance']:g}"
    first = "" if layer["first"] is None else f", first {layer['first']}"
    return str(layer["name"]), layer["different"] == 0, found + first


def _logits(logits: dict[str, Any]) -> tuple[str, bool, str]:
    wrong = len(logits["wrong_images"])
    return (
        "logits",
        wrong == 0,
        f"largest error {logits['worst']:.2g} of the image's largest logit, tolerance "
        f"{logits['tolerance']:g}; {wrong} images beyond it",
    )


def verdict(parity: Parity | None) -> str:
    """In a word: "equal", "DIFFERS" or "not checked"."""
    if parity is None:
        return "not checked"
    return "equal" if parity.passed else "DIFFERS"
