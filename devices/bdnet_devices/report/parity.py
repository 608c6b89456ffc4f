"""Whether the device computed what PyTorch computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Parity:
    """What a verification on the device found.

    Args:
        first_difference: the first layer that differs; None where none does.
        checks: each with its name, whether it passed, and what was found.
    """

    passed: bool
    values_compared: int
    values_different: int
    images: int
    first_difference: str | None
    checks: tuple[tuple[str, bool, str], ...]

    @classmethod
    def read(cls, content: dict[str, Any] | None) -> Parity | None:
        if content is None:
            return None
        return cls(
            bool(content["passed"]),
            int(content["values_compared"]),
            int(content["values_different"]),
            int(content["images"]),
            content["first_difference"],
            tuple((c["name"], bool(c["passed"]), c["message"]) for c in content["checks"]),
        )

    @property
    def found(self) -> str:
        """One sentence, without a full stop."""
        where = "" if self.first_difference is None else f", first in {self.first_difference}"
        return (
            f"{self.values_different:,} of {self.values_compared:,} values differ on "
            f"{self.images} images{where}"
        )


def verdict(parity: Parity | None) -> str:
    """In a word: "equal", "DIFFERS" or "not checked"."""
    if parity is None:
        return "not checked"
    return "equal" if parity.passed else "DIFFERS"
