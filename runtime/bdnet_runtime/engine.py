"""What runs a model: ONNX Runtime, or LiteRT for .tflite files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import onnxruntime as ort

from bdnet_runtime.model_input import ModelInput, Size, model_inputs
from bdnet_runtime.session import create_session

SEED = 0  # of the values of a model's first input; of the next one 1, and so on


@dataclass(frozen=True)
class LoadedModel:
    """A model with its inputs: random values of fixed seeds.

    Args:
        fed: the inputs.
        run: runs it once. A model that cannot be run raises an exception of its engine's.
        end_profile: the path of the profile that was asked for.
    """

    fed: list[ModelInput]
    run: Callable[[], object]
    end_profile: Callable[[], str] | None = None


@dataclass(frozen=True)
class Engine:
    """What runs models; it has been imported when one of these is there.

    Args:
        name, version: of its package.
        load: from the file, threads, images a run (None: what the file fixes, otherwise 1) and
            their size (None: what the file fixes) to the model. Raises `InputError` where it
            cannot be loaded or fed.
        use_library: bdnet's kernels are used.
    """

    name: str
    version: str
    load: Callable[[Path, int, int | None, Size | None], LoadedModel]
    use_library: bool = False


def onnx_runtime(use_library: bool, profile_prefix: str | None = None) -> Engine:
    """ONNX Runtime; see `bdnet_runtime.create_session` for the arguments."""

    def load(path: Path, threads: int, batch: int | None, size: Size | None) -> LoadedModel:
        session = create_session(path, threads, use_library, profile_prefix=profile_prefix)
        fed = model_inputs(session, batch, size)
        feeds = {one.name: one.random(SEED + number) for number, one in enumerate(fed)}
        run = partial(session.run, None, feeds)
        return LoadedModel(fed, run, None if profile_prefix is None else session.end_profiling)

    return Engine("onnxruntime", ort.__version__, load, use_library)
