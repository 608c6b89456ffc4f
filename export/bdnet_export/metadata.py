"""What an exported file says of itself, in the model's metadata properties."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from bdnet import InputError
from bdnet.preprocessing import Preprocessing
from bdnet_runtime.verification import FLOAT_LOGITS, INT8_LOGITS, LogitRule

FORMAT = 1
_PREFIX = "bdnet."
_FLOATS = {"dtype": "float32", "layout": "NCHW"}
_BYTES = {"dtype": "uint8", "layout": "NHWC"}


@dataclass(frozen=True)
class ModelMetadata:
    """The metadata of an exported file, version 1 of its format.

    Args:
        version: the bdnet that wrote the file.
        network: {"model": class, "config": arguments}.
        constants_sha256: digest of the deployment form's constants (`DeployedNet.digest`).
        layers: paths of the modules of the binary body, stem first; the value of the same name is
            that module's output. A unit inside a fused block has none and is left out, and so is
            a layer of a module that puts out an output of the file. The last one's are the
            features.
        preprocessing: from image bytes to the network's input, where the checkpoint knows it.
        as_bytes: the file reads image bytes, uint8 [N, H, W, C], and has the preprocessing inside;
            otherwise the network's input, float32 [N, C, H, W].
        int8: names of the weights of Linear layers that are int8.
    """

    version: str
    network: dict[str, Any]
    constants_sha256: str
    layers: tuple[str, ...]
    preprocessing: Preprocessing | None = None
    as_bytes: bool = False
    int8: tuple[str, ...] = ()

    @property
    def is_module(self) -> bool:
        """Whether the file is of any module with layers of ours, not of a plain `bdnet.BDNet`."""
        return self.network.get("form") == "module"

    @property
    def features(self) -> str:
        """The value that leaves the body."""
        return self.layers[-1]

    @property
    def logit_rule(self) -> LogitRule:
        """How far the file's logits may be from those of the network in float."""
        return INT8_LOGITS if self.int8 else FLOAT_LOGITS

    def network_input(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """What the network reads where the file reads ``images``: preprocessed outside."""
        if images.dtype != np.uint8:
            return images
        assert self.preprocessing is not None, "read_metadata has seen to it"
        return self.preprocessing(images.transpose(0, 3, 1, 2))

    def to_properties(self) -> dict[str, str]:
        """As strings, for ModelProto.metadata_props."""
        properties = {
            "format": str(FORMAT),
            "version": self.version,
            "network": json.dumps(self.network, sort_keys=True),
            "constants_sha256": self.constants_sha256,
            "layers": json.dumps(self.layers),
            "input": json.dumps(_BYTES if self.as_bytes else _FLOATS, sort_keys=True),
        }
        if self.int8:
            properties["int8"] = json.dumps(self.int8)
        if self.preprocessing is not None:
            properties["preprocessing"] = json.dumps(self.preprocessing.to_dict(), sort_keys=True)
        return {_PREFIX + key: value for key, value in properties.items()}


def read_metadata(model: onnx.ModelProto, path: object) -> ModelMetadata:
    """The metadata of an exported file.

    Args:
        path: for messages.

    Raises:
        InputError: the file is not one of bdnet's, or of another format version.
    """
    properties = {prop.key: prop.value for prop in model.metadata_props}
    found = properties.get(_PREFIX + "format")
    if found is None:
        raise InputError(
            f"{path} has no bdnet metadata; expected a file written by 'bdnet-export export'"
        )
    if found != str(FORMAT):
        raise InputError(
            f"{path} has bdnet file format {found}; this version reads format {FORMAT}: "
            "export the model again, or use the bdnet that wrote it"
        )
    try:
        preprocessing = properties.get(_PREFIX + "preprocessing")
        layers = tuple(str(layer) for layer in json.loads(properties[_PREFIX + "layers"]))
        network = json.loads(properties[_PREFIX + "network"])
        if not layers and network.get("form") != "module":
            raise ValueError("no layers")
        read = json.loads(properties.get(_PREFIX + "input", json.dumps(_FLOATS)))
        if read not in (_FLOATS, _BYTES) or (read == _BYTES and preprocessing is None):
            raise ValueError(f"input {read}")
        return ModelMetadata(
            properties[_PREFIX + "version"],
            network,
            properties[_PREFIX + "constants_sha256"],
            layers,
            None if preprocessing is None else Preprocessing.from_dict(json.loads(preprocessing)),
            read == _BYTES,
            tuple(str(name) for name in json.loads(properties.get(_PREFIX + "int8", "[]"))),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(
            f"the bdnet metadata of {path} cannot be read ({error!r}); export the model again"
        ) from None
