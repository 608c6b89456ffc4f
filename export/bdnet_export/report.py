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


@dataclass(frozen=True)
class LayerComparison:
    """Every layer of one image, as one way of running the file computes it.

    Args:
        where: which way, such as "with the library" or "on pi5".
        layers: as `bdnet_runtime.verification.layer_report` gives each.
    """

    where: str
    layers: list[dict[str, Any]]

    @property
    def first_difference(self) -> str | None:
        """The first layer that differs."""
        return next((str(layer["name"]) for layer in self.layers if layer["different"]), None)

    def check(self) -> Check:
        """The verdict."""
        values = sum(layer["values"] for layer in self.layers)
        wrong = [layer for layer in self.layers if layer["different"]]
        found = f"{len(self.layers)} layers, {values:,} values of one image"
        if wrong:
            found = f"{len(wrong)} of {found} differ; {wrong[0]['first']}"
        return Check(f"every layer equal {self.where}", not wrong, found)


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
        classifier_agreement: share of images on which the file's int8 classifier, with the library,
            has the top class of the float one; None where the classifier is float.
        sign_agreement, top1_agreement: trained network against deployment form, 0 to 1.
        layers: of each way of running the file, where they were asked for.
        device_errors: by the name of a device on which the file could not be run: why.
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
    classifier_agreement: float | None = None
    sign_agreement: float = 1.0
    top1_agreement: float = 1.0
    layers: list[LayerComparison] = field(default_factory=list)
    device_errors: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks) and not self.device_errors

    def to_dict(self) -> dict[str, Any]:
        """For JSON: every field, and ``passed``."""
        return {"schema": 1, "passed": self.passed, **asdict(self)}
