"""What PyTorch computes inside a traced module: what a file's regions read and put out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.export.graph_signature import InputKind

from bdnet_export.module_graph import Origin
from bdnet_runtime.verification import Array


class _Recorder(torch.fx.Interpreter):
    """Runs a graph and keeps the values that are wanted."""

    def __init__(self, module: torch.fx.GraphModule, wanted: Collection[str]) -> None:
        super().__init__(module, garbage_collect_values=True)
        self._wanted = wanted
        self.kept: dict[str, Tensor] = {}

    def run_node(self, n: torch.fx.Node) -> Any:
        value = super().run_node(n)
        if n.name in self._wanted and isinstance(value, Tensor):
            self.kept[n.name] = value
        return value


def float_values(program: torch.export.ExportedProgram) -> set[str]:
    """Names of the traced values that are float32 tensors."""
    found = set()
    for node in program.graph.nodes:
        value = node.meta.get("val")
        if isinstance(value, Tensor) and value.dtype == torch.float32:
            found.add(node.name)
    return found


def compute(
    program: torch.export.ExportedProgram,
    inputs: Sequence[Array],
    wanted: dict[str, Origin],
) -> dict[str, Array]:
    """What PyTorch computes on ``inputs`` for the values of a file.

    Args:
        wanted: by their names in the file: which traced value each is.

    Returns:
        By their names in the file, in the file's layout.
    """
    user_inputs = iter(inputs)
    arguments: list[Any] = []
    for spec in program.graph_signature.input_specs:
        if spec.kind == InputKind.USER_INPUT:
            arguments.append(torch.tensor(next(user_inputs)))
        else:
            target = str(spec.target)
            state = program.state_dict
            arguments.append(state[target] if target in state else program.constants[target])
    recorder = _Recorder(program.graph_module, {origin.name for origin in wanted.values()})
    with torch.no_grad():
        recorder.run(*arguments)
    values = {}
    for name, origin in wanted.items():
        value = recorder.kept[origin.name]
        in_file = value.permute(0, 2, 3, 1) if origin.nhwc else value
        # Not ascontiguousarray, which makes a list of a single number.
        values[name] = np.asarray(in_file.numpy(), order="C")
    return values
