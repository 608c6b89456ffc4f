"""From a module in its deployment form to a graph of bare nodes, by torch.export and torch.onnx."""

from __future__ import annotations

import io
import logging
import re
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from types import TracebackType
from typing import Any, TextIO

import torch
from torch import Tensor, nn

from bdnet import InputError
from bdnet_export.translation import translation_table


class _WithoutThisThread(io.TextIOBase):
    """Standard error for all threads but this one: torch.export prints the graph it failed in.

    Another thread's progress goes on.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._thread = threading.get_ident()

    def write(self, text: str) -> int:
        return len(text) if threading.get_ident() == self._thread else self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps PyTorch's remarks, and the graphs it logs before it fails, from the user's terminal."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings(), redirect_stderr(_WithoutThisThread(sys.stderr)):
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logging.disable(disabled)


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
        raise InputError(explain(error, network, examples)) from error
    if program is None:
        raise RuntimeError("torch.onnx.export returned no program")
    # Where a network fixes the batch, torch.onnx falls back to a program that has it fixed, too.
    shapes = [value.shape for value in program.model.graph.inputs]
    if dynamic_batch and any(shape is None or isinstance(shape[0], int) for shape in shapes):
        raise InputError(
            f"the network ({type(network).__name__}) works for one batch size only, as where a "
            "forward reshapes to lengths that are written out; write it for any batch, or export "
            "with --batch N"
        )
    return program


def explain(error: BaseException, network: nn.Module, examples: Sequence[Tensor]) -> str:
    """One sentence on why a network cannot be traced: which module, what, and what to do."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(cause, InputError):
        return str(cause)
    text = _first_sentence(cause)
    missing = re.search(r"No ONNX function found for .*?OpOverload\(op='([^']+)'", str(error))
    if missing:
        operator = missing.group(1)
        path = _module_that_uses(operator, network, examples)
    else:
        path = _failing_module(cause.__traceback__, network)
    where = f"module {path}" if path else f"the network ({type(network).__name__})"
    if missing:
        return (
            f"{where} uses {operator}, for which ONNX has no operator; replace it by operators "
            "that ONNX has, or leave that part out of the export"
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


def _module_that_uses(operator: str, network: nn.Module, examples: Sequence[Tensor]) -> str | None:
    """The path of the first module that calls ``operator``, such as ``aten.sort``."""
    with _quiet(), torch.no_grad():
        program = torch.export.export(network, tuple(examples)).run_decompositions()
    for node in program.graph.nodes:
        # The same operator may be aten's here and prims' further down.
        if operator.rpartition(".")[2] in str(node.target):
            stack: dict[str, tuple[str, Any]] = node.meta.get("nn_module_stack", {})
            return [path for path, _ in stack.values()][-1] if stack else None
    return None


def _first_sentence(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    text = lines[0].strip().rstrip(".") if lines else ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
