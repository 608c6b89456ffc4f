"""What a validation found, as data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Check:
    """One question with its answer; ``message`` says what was found either way."""

    name: str
    passed: bool
    message: str


@dataclass
class ValidationReport:
    """What a validation found.

    Args:
        inputs: what the images were.
        values_compared, values_different: values of the features that leave the body, over both
            ways of running the file.
        first_difference: path of the first layer, or of the first block where its units are
            fused, whose output differs, found by computing;
            "head" if the logits alone are outside their tolerance.
        max_logit_error: largest |difference| of a logit over max |logit| of its image.
        accuracy_pytorch, accuracy_onnx: share of images classified right by the trained network
            and by the file (with the library), where labels are known.
        sign_agreement, top1_agreement: trained network against deployment form, 0 to 1.
        notes: what was not compared, and why.
    """

    model: str
    inputs: str
    images: int
    checks: list[Check] = field(default_factory=list)
    values_compared: int = 0
    values_different: int = 0
    first_difference: str | None = None
    max_logit_error: float = 0.0
    accuracy_pytorch: float | None = None
    accuracy_onnx: float | None = None
    sign_agreement: float = 1.0
    top1_agreement: float = 1.0
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: every field, and ``passed``."""
        return {"schema": 1, "passed": self.passed, **asdict(self)}
