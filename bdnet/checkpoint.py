"""Checkpoints: a network's weights with the configuration that rebuilds it.

The format is safetensors; its metadata has one entry, ``bdnet``, a JSON object:
``format`` (1), ``model`` (class name in bdnet.models), ``config`` (its arguments), and, where
known, ``input_shape`` [C, H, W], ``preprocessing`` {mean, std} and ``training`` (recipe and
measured accuracy). A ``.pt`` file holds the same as {"bdnet": JSON, "state_dict": ...} and is
read with ``weights_only=True``, so that no file can run code.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import save as serialize
from torch import Tensor

from bdnet.errors import InputError
from bdnet.models import NETWORKS, Network
from bdnet.preprocessing import Preprocessing

FORMAT = 1
SUFFIX = ".safetensors"


@dataclass(frozen=True)
class CheckpointMetadata:
    """What a checkpoint says of itself.

    Args:
        model, config: class name in ``bdnet.models`` and its arguments.
        input_shape: [C, H, W] of the images it was trained on.
        training: the recipe and what was measured, as the trainer wrote it.
    """

    model: str
    config: dict[str, Any]
    input_shape: tuple[int, int, int] | None = None
    preprocessing: Preprocessing | None = None
    training: dict[str, Any] | None = None

    def to_json(self) -> str:
        fields: dict[str, Any] = {"format": FORMAT, "model": self.model, "config": self.config}
        if self.input_shape is not None:
            fields["input_shape"] = list(self.input_shape)
        if self.preprocessing is not None:
            fields["preprocessing"] = self.preprocessing.to_dict()
        if self.training is not None:
            fields["training"] = self.training
        return json.dumps(fields, sort_keys=True)

    @staticmethod
    def from_json(text: str, path: Path) -> CheckpointMetadata:
        try:
            fields = json.loads(text)
            if fields["format"] != FORMAT:
                raise InputError(
                    f"{path} has checkpoint format {fields['format']}; this bdnet reads "
                    f"format {FORMAT}: use the bdnet version that wrote it"
                )
            shape = fields.get("input_shape")
            preprocessing = fields.get("preprocessing")
            return CheckpointMetadata(
                fields["model"],
                dict(fields["config"]),
                None if shape is None else (int(shape[0]), int(shape[1]), int(shape[2])),
                None if preprocessing is None else Preprocessing.from_dict(preprocessing),
                fields.get("training"),
            )
        except InputError:
            raise
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise InputError(
                f"the 'bdnet' metadata of {path} cannot be read ({error!r}); "
                "save the checkpoint with bdnet.save"
            ) from None

    def build(self) -> Network:
        """The network, with fresh weights."""
        # In a damaged file the name can be anything, a list too.
        network = NETWORKS.get(self.model) if isinstance(self.model, str) else None
        if network is None:
            known = ", ".join(NETWORKS)
            raise InputError(f"the checkpoint's model is {self.model!r}; this bdnet has {known}")
        try:
            return network(**self.config)
        except InputError:
            raise
        except (TypeError, ValueError, OverflowError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"the checkpoint's configuration does not fit: {reason}") from None


def save(
    model: Network,
    path: str | os.PathLike[str],
    *,
    input_shape: tuple[int, int, int] | None = None,
    preprocessing: Preprocessing | None = None,
    training: dict[str, Any] | None = None,
) -> None:
    """Writes ``model`` to a safetensors file that `load` can rebuild it from.

    The file appears under its name only when it is complete.

    Args:
        model: a network of ``bdnet.models``.
        input_shape, preprocessing, training: kept in the metadata (`CheckpointMetadata`).

    Raises:
        InputError: the network is not one of ``bdnet.models``, or the path cannot be written.
    """
    path = Path(path)
    if path.suffix != SUFFIX:
        raise InputError(f"a checkpoint is a {SUFFIX} file; {path} is not named like one")
    name = type(model).__name__
    if NETWORKS.get(name) is not type(model):
        raise InputError(
            f"{name} is not a network of bdnet.models, so a checkpoint could not rebuild it; "
            "keep its state_dict yourself and name it to bdnet-export as package.module:function"
        )
    metadata = CheckpointMetadata(name, model.config, input_shape, preprocessing, training)
    tensors = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    try:
        text = metadata.to_json()
    except (TypeError, ValueError) as error:
        raise InputError(f"the configuration or training record is no JSON: {error}") from None
    part = path.with_name(path.name + ".part")
    try:
        # Through bytes: safetensors' own files can be read by their owner alone.
        part.write_bytes(serialize(tensors, metadata={"bdnet": text}))
        part.replace(path)
    except OSError as error:
        if part.is_file():
            part.unlink()
        raise InputError(f"{path} cannot be written: {error.strerror}") from None


def load(path: str | os.PathLike[str]) -> Network:
    """The network in a checkpoint, in evaluation mode, on the CPU.

    Args:
        path: a ``.safetensors`` file of `save`, or a ``.pt`` file as the module's docstring says.

    Raises:
        InputError: no such file, not a checkpoint of ours, or weights that do not fit.
    """
    metadata, tensors = _read(Path(path))
    model = metadata.build()
    try:
        model.load_state_dict(tensors)
    except (RuntimeError, AttributeError, TypeError) as error:
        detail = " ".join(str(error).split())
        raise InputError(f"the weights in {path} do not fit its configuration: {detail}") from None
    return model.eval()


def read_metadata(path: str | os.PathLike[str]) -> CheckpointMetadata:
    """What the checkpoint at ``path`` says of itself. Raises `InputError` as `load` does."""
    return _read(Path(path))[0]


def _read(path: Path) -> tuple[CheckpointMetadata, dict[str, Tensor]]:
    if not path.is_file():
        raise InputError(f"there is no checkpoint file {path}")
    if path.suffix in (".pt", ".pth"):
        return _read_pt(path)
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get("bdnet")
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (OSError, safetensors.SafetensorError) as error:
        raise InputError(
            f"{path} is not a readable safetensors file ({error}); expected a checkpoint of "
            "bdnet.save, or a .pt file with 'bdnet' and 'state_dict'"
        ) from None
    if text is None:
        raise InputError(
            f"{path} has weights but no bdnet configuration; save the network with bdnet.save"
        )
    return CheckpointMetadata.from_json(text, path), tensors


def _read_pt(path: Path) -> tuple[CheckpointMetadata, dict[str, Tensor]]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can raise anything
        raise InputError(
            f"{path} cannot be loaded with weights_only=True ({type(error).__name__}); save plain "
            "tensors: {'bdnet': JSON, 'state_dict': model.state_dict()}"
        ) from None
    if (
        not isinstance(content, dict)
        or not isinstance(content.get("bdnet"), str)
        or not isinstance(content.get("state_dict"), dict)
    ):
        raise InputError(
            f"{path} holds no bdnet checkpoint; expected a dictionary with 'bdnet' (JSON text) "
            "and 'state_dict', or a .safetensors file of bdnet.save"
        )
    return CheckpointMetadata.from_json(content["bdnet"], path), content["state_dict"]
