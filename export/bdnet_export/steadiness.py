"""A traced network gives an image the same result in every run and in any company."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir
import torch

from bdnet import InputError

_DRAWING = ("Bernoulli", "Dropout", "Multinomial")
"""Operators that draw random numbers; a Dropout in evaluation mode is not in the graph at all."""


def require_steady(graph: ir.Graph, program: torch.export.ExportedProgram) -> None:
    """Raises `InputError`, which names the module, where two runs or two batches would differ.

    Args:
        graph: made of ``program``, its nodes named after their modules.
    """
    for node in graph:
        if node.op_type.startswith("Random") or node.op_type in _DRAWING:
            path = (node.name or "").rpartition("/")[0].removeprefix("graph")
            raise InputError(
                f"{_where(path)} draws random numbers ({node.op_type}) in evaluation mode too, so "
                "no two runs are equal; let it do so only where self.training is true"
            )
    # torch.onnx writes the same node as in evaluation mode, which computes something else.
    for traced in program.graph.nodes:
        if "batch_norm" in str(traced.target) and any(value is True for value in traced.args):
            stack: dict[str, tuple[str, Any]] = traced.meta.get("nn_module_stack", {})
            raise InputError(
                f"{_where([path for path, _ in stack.values()][-1] if stack else '')} normalises "
                "by the batch that it is given, so an image's result depends on those beside it; "
                "use running statistics in evaluation mode"
            )


def _where(path: str) -> str:
    return f"module {path}" if path else "the network"
