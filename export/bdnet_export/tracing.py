"""From a module in its deployment form to a graph of bare nodes, by torch.export and torch.onnx."""

from __future__ import annotations

import logging
import re
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from bdnet import InputError
from bdnet_export.translation import translation_table


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps torch.onnx's remarks about packages we do not use from the user's terminal."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logger.setLevel(level)


def trace(
    network: nn.Module,
    examples: Sequence[Tensor],
    opset: int,
    input_names: Sequence[str],
    output_names: Sequence[str] | None,
    *,
    dynamic_batch: bool,
) -> torch.onnx.ONNXProgram:
    """Traces ``network`` on ``examples``; nothing is optimised, so values keep their names.

    Args:
        examples: one tensor an input; where the batch is dynamic, of 2 images, since torch.export
            takes an example batch of 1 for a constant.
        output_names: None for torch.onnx's own.

    Raises:
        InputError: the network cannot be traced or holds what has no operator: which module, what,
            and what to do.
    """
    batch = torch.export.Dim("batch")
    dynamic = tuple({0: batch} for _ in examples) if dynamic_batch else None
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                network,
                tuple(examples),
                dynamo=True,
                # The optimiser would merge constants that happen to be equal, and rename them.
                optimize=False,
                opset_version=opset,
                custom_translation_table=translation_table(),
                dynamic_shapes=dynamic,
                input_names=list(input_names),
                output_names=None if output_names is None else list(output_names),
                verbose=False,
            )
    except InputError:
        raise
    except Exception as error:  # whatever a network's own code does, and torch.onnx's many kinds
        raise InputError(explain(error, network, dynamic_batch)) from error
    if program is None:
        raise RuntimeError("torch.onnx.export returned no program")
    return program


def explain(error: BaseException, network: nn.Module, dynamic_batch: bool) -> str:
    """One sentence on why a network cannot be traced: which module, what, and what to do."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(cause, InputError):
        return str(cause)
    path = _failing_module(cause.__traceback__, network) or _named_module(str(error))
    where = f"module {path}" if path else f"the network ({type(network).__name__})"
    text = _first_sentence(cause)
    missing = re.search(r"No ONNX function found for .*?<?OpOverload\(op='([^']+)'", str(error))
    if missing or "No ONNX function" in str(error):
        operator = missing.group(1) if missing else text
        return (
            f"{where} uses {operator}, for which ONNX has no operator; replace it by operators "
            "that ONNX has, or leave that part out of the export"
        )
    if dynamic_batch and re.search("Constraints violated|specializ|batch", str(error)):
        return (
            f"{where} works for one batch size only ({text}); write it for any batch, or export "
            "with --batch N"
        )
    return (
        f"{where} cannot be traced: {text}; torch.export follows tensors, so the module's forward "
        "must not depend on their values nor leave PyTorch"
    )


def _failing_module(trace: TracebackType | None, network: nn.Module) -> str | None:
    """The path of the innermost module of the network in whose forward an error was raised."""
    paths: dict[int, str] = {id(module): path for path, module in network.named_modules()}
    found = None
    for frame, _ in traceback.walk_tb(trace):
        found = paths.get(id(frame.f_locals.get("self")), found)
    return found


def _named_module(text: str) -> str | None:
    """The module that torch.onnx names in an error of its own."""
    scopes: list[Any] = re.findall(r"'pkg.torch.onnx.name_scopes': \"?\[([^\]]*)\]", text)
    names = re.findall(r"'([^']*)'", scopes[-1]) if scopes else []
    return names[-2] if len(names) > 1 else None


def _first_sentence(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    text = lines[0].strip().rstrip(".") if lines else ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
