"""Trained networks that come with bdnet. README.md in this folder says how each was made."""

from __future__ import annotations

import difflib
from pathlib import Path

from bdnet.errors import InputError

_FOLDER = Path(__file__).parent
_NAMES = ("fashion-mnist",)


def names() -> list[str]:
    """The names that `checkpoint_path` knows."""
    return list(_NAMES)


def checkpoint_path(name: str) -> Path:
    """The checkpoint of the network called ``name``, for `bdnet.load`.

    Raises:
        InputError: there is no such network; the message has the names there are.
    """
    return _FOLDER / f"{_stem(name)}.safetensors"


def held_out_images(name: str) -> Path | None:
    """Images that the network called ``name`` was not trained on, or None if none come with it.

    An ``.npz`` file of ``images`` uint8 [N, C, H, W], ``labels`` uint8 [N] and ``classes``, the
    names of the labels.

    Raises:
        InputError: as `checkpoint_path`.
    """
    path = _FOLDER / f"{_stem(name)}_held_out.npz"
    return path if path.is_file() else None


def _stem(name: str) -> str:
    if name not in _NAMES:
        close = difflib.get_close_matches(name, _NAMES, 1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise InputError(
            f"{name!r} is neither a file nor a network that comes with bdnet; "
            f"{hint}bdnet has {', '.join(map(repr, _NAMES))}"
        )
    return name.replace("-", "_")
