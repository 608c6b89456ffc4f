"""The file on a device, as `FileRun` is the file here: what it computes is compared there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from bdnet import DeployedNet, InputError
from bdnet_devices import Device
from bdnet_devices.errors import ProcessEndedError
from bdnet_devices.side_by_side import at_once
from bdnet_export.comparison import layer_outputs, tally_checks
from bdnet_export.metadata import ModelMetadata
from bdnet_export.parity import verify_on_device
from bdnet_export.report import Check, LayerComparison
from bdnet_runtime.verification import Array, Images, Reference, Tally
from bdnet_runtime.verify import VerifyOptions

Found = TypeVar("Found")


def ask_devices(asked: Mapping[str, Callable[[], Found]]) -> dict[str, Found | Exception]:
    """Asks the devices side by side. One that fails does not lose what the others have found."""
    if len(asked) > 1:
        return at_once(asked)
    try:  # in this thread, where Ctrl-C arrives
        return {name: ask() for name, ask in asked.items()}
    except (InputError, ProcessEndedError) as error:
        return dict.fromkeys(asked, error)


def device_error(name: str, error: Exception) -> str:
    """The sentence of a device that could not be asked, which begins with its name."""
    return f"{name}: " + str(error).removeprefix(f"{name}: ")


class DeviceRun:
    """The file on one device, with bdnet's library. Images are collected and sent there at once."""

    def __init__(self, device: Device, path: Path, metadata: ModelMetadata) -> None:
        self.device, self.label = device.name, f"on {device.name}"
        self.tally = Tally(metadata.logit_rule)
        self._device, self._path, self._metadata = device, path, metadata
        self._parts: list[tuple[Images, Array, Array]] = []

    def compare(self, begin: int, images: Images, features: Array, logits: Array) -> None:
        """Notes the first len(features) of ``images``, which are filled up to a batch."""
        self._parts.append((images[: len(features)], features, logits))

    def checks(self) -> list[Check]:
        """Compares there. Features and logits, each with its verdict."""
        images, features, logits = (np.concatenate(a) for a in zip(*self._parts, strict=True))
        reference = Reference(
            images, logits, {self._metadata.features: features}, self._metadata.logit_rule
        )
        found = verify_on_device(self._device, self._path, reference, VerifyOptions())
        self.tally.compared, self.tally.different = found["values"], found["different"]
        self.tally.failing_image = found["failing_image"]
        self.tally.worst_logit = found["logits"]["worst"]
        self.tally.other_class = found["logits"]["other_class"]
        self.tally.wrong_logits = found["logits"]["wrong_images"]
        self.tally.top1 = found["top1"]
        return tally_checks(self.tally, self.label)

    def compare_layers(self, deployed: DeployedNet, image: Images) -> LayerComparison:
        """Every layer's output on the first of ``image``, which is filled up to a batch."""
        return LayerComparison(self.label, self._verify_layers(deployed, image)["layers"])

    def first_difference(self, deployed: DeployedNet, image: Images) -> tuple[str | None, str]:
        """The first layer whose output differs there on ``image``, and how it differs."""
        found = self._verify_layers(deployed, image)
        first = found["first_difference"]
        if first is None:
            return None, (
                f"the features differ on image {self.tally.failing_image}, but with every layer's "
                "output exposed none does: an optimisation across layers changes the result"
            )
        words = next(layer["first"] for layer in found["layers"] if layer["name"] == first)
        return first, f"{words} of those sent, which is image {self.tally.failing_image} of all"

    def _verify_layers(self, deployed: DeployedNet, image: Images) -> dict[str, Any]:
        read = self._metadata.network_input(image)
        values, logits = layer_outputs(deployed, self._metadata.layers, read)
        first = {layer: value[:1] for layer, value in values.items()}
        reference = Reference(image[:1], logits[:1], first, self._metadata.logit_rule)
        return verify_on_device(self._device, self._path, reference, VerifyOptions())
