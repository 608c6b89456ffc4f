"""The user's cache: what was downloaded or built once. A folder in it is complete or not there."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def cache_folder() -> Path:
    """``bdnet`` in the user's cache folder, which ``XDG_CACHE_HOME`` may name."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "bdnet"


def keep(name: str, fill: Callable[[Path], None]) -> Path:
    """The folder ``name`` of the cache; where it is not there, ``fill`` is called to fill it.

    Whoever asks for it meanwhile, in another thread or process, waits. What a failure or an
    interruption leaves is removed.
    """
    folder = cache_folder() / name
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.part-", dir=folder.parent))
            try:
                fill(part)
                part.rename(folder)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    return folder
