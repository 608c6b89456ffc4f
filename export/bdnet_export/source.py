"""SOURCE on the command line: a checkpoint, a shipped model, or a user's own function."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path

from torch import nn

import bdnet
from bdnet import InputError, Preprocessing, zoo

_CHECKPOINT_SUFFIXES = (".safetensors", ".pt", ".pth")


@dataclass(frozen=True)
class Source:
    """A trained network and what is known of its input.

    Args:
        name: as the user gave it.
        input_shape: (C, H, W), where the checkpoint says it.
        preprocessing: from image bytes to the input, where the checkpoint says it.
    """

    model: nn.Module
    name: str
    input_shape: tuple[int, int, int] | None = None
    preprocessing: Preprocessing | None = None


def load_source(text: str) -> Source:
    """Finds the network that ``text`` names.

    Args:
        text: a ``.safetensors`` or ``.pt`` file, ``package.module:function`` (called without
            arguments; the working folder is searched too), or the name of a shipped model.

    Raises:
        InputError: nothing of that name, or what was found is not a network of bdnet.
    """
    path = Path(text)
    if path.suffix in _CHECKPOINT_SUFFIXES or path.is_file():
        return _from_checkpoint(path, text)
    if ":" in text:
        return Source(_from_function(text), text)
    return _from_checkpoint(zoo.checkpoint_path(text), text)


def _from_checkpoint(path: Path, name: str) -> Source:
    model = bdnet.load(path)
    metadata = bdnet.read_metadata(path)
    return Source(model, name, metadata.input_shape, metadata.preprocessing)


def _from_function(text: str) -> nn.Module:
    module_name, _, function_name = text.partition(":")
    if not module_name or not function_name:
        raise InputError(f"{text!r} names no function; expected package.module:function")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # whatever a user's module does on import
        raise InputError(
            f"module {module_name!r} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    function = getattr(module, function_name, None)
    if not callable(function):
        raise InputError(f"module {module_name!r} has no function {function_name!r}")
    try:
        model = function()
    except (Exception, SystemExit) as error:  # whatever a user's function does
        raise InputError(f"{text} raised {type(error).__name__}: {error}") from error
    if not isinstance(model, nn.Module):
        raise InputError(
            f"{text} returned a {type(model).__name__}; expected a torch.nn.Module, such as "
            "bdnet.BDMobileNetV1"
        )
    return model.eval()
