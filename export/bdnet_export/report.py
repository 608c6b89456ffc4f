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
        layers: as `bdnet_runtime.verification.layer_report` gives each; of a float layer also the
            ``error`` over the largest value, and its ``tolerance``.
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


@dataclass(frozen=True)
class Flips:
    """Signs that differ between two runs of a layer.

    Args:
        signs: how many differ.
        margin: the largest magnitude of a value of the trained network whose sign differs, over the
            mean magnitude of all that the layer reads; None where no sign differs.
    """

    signs: int
    margin: float | None


@dataclass(frozen=True)
class LayerFlips:
    """One layer that takes signs of what it reads, in the trained network and in deployment.

    Args:
        signs: how many it takes of all images.
        cumulative: each form computes by itself from the input on.
        local: every layer is given what the trained network's own layer reads, so that these are
            the signs which the rounding of the layers right in front has flipped, and no others.
    """

    name: str
    signs: int
    cumulative: Flips
    local: Flips


@dataclass(frozen=True)
class TrainedComparison:
    """The trained network beside its deployment form, for what it is worth: no check.

    Args:
        layers: in the order in which they run.
        first_cumulative, first_local: the first layer that takes another sign; None: none does.
        top1_agreement: share of images with the same top class; None where the network does not
            return [N, classes].
    """

    images: int
    layers: list[LayerFlips]
    first_cumulative: str | None
    first_local: str | None
    top1_agreement: float | None

    def describe(self) -> str:
        """What was found, in a sentence or two."""
        signs = sum(layer.signs for layer in self.layers)
        cumulative = sum(layer.cumulative.signs for layer in self.layers)
        local = sum(layer.local.signs for layer in self.layers)
        first, first_local = (
            "" if layer is None else f", first in {layer}"
            for layer in (self.first_cumulative, self.first_local)
        )
        text = f"{cumulative:,} of {signs:,} signs flip{first}; locally {local:,}{first_local}"
        if self.top1_agreement is not None:
            text += f"; top classes agree on {self.top1_agreement:.2%} of {self.images} images"
        return text


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
        against_trained: where deployment flips signs, where that was asked for.
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
    against_trained: TrainedComparison | None = None
    device_errors: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks) and not self.device_errors

    def to_dict(self) -> dict[str, Any]:
        """For JSON: every field, and ``passed``."""
        return {"schema": 1, "passed": self.passed, **asdict(self)}
