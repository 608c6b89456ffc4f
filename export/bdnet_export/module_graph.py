"""The graph of any module that holds layers of ours, and what PyTorch calls each of its values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import onnx_ir as ir
import torch
from torch import nn

from bdnet import InputError
from bdnet.deployment import deploy_module, module_layers
from bdnet_export.fusion import Fusion
from bdnet_export.fusion import fuse as fuse_layers
from bdnet_export.input_shapes import InputShape
from bdnet_export.layout import ORIGIN, move_transposes
from bdnet_export.literals import spell_out_literals
from bdnet_export.naming import name_by_module, name_outputs
from bdnet_export.steadiness import require_steady
from bdnet_export.tracing import trace


@dataclass(frozen=True)
class Origin:
    """The traced value that a value of the file is, ``nhwc`` where the file holds it so."""

    name: str
    nhwc: bool


@dataclass(frozen=True)
class ModuleGraph:
    """A module in its deployment form, traced, named, its layout settled, fused.

    Args:
        model: the graph that the file will hold.
        program: torch.export's, whose values are PyTorch's.
        origins: what each float value of the graph is in the program.
        layers: paths of the layers of ours whose output is a value of that name, in NHWC.
        fusion: what became of each layer.
    """

    network: nn.Module
    model: ir.Model
    program: torch.export.ExportedProgram
    origins: dict[str, Origin]
    layers: list[str]
    fusion: Fusion


def build_graph(
    model: nn.Module,
    shapes: Mapping[str, InputShape],
    *,
    batch: int | None,
    opset: int,
    fuse: bool,
    dynamic_size: bool = False,
) -> ModuleGraph:
    """Deploys and traces ``model``.

    Args:
        shapes: of each input by its name, in the order of the forward.
        batch: None leaves it open.
        dynamic_size: leaves height and width of every image open.

    Raises:
        InputError: as `tracing.trace`, or a layer of ours has no deployment form, or there is none.
    """
    network = deploy_module(model)
    layers = module_layers(network)
    if not layers:
        raise InputError(
            f"{type(model).__name__} holds no layer of bdnet, so there is nothing to pack; export "
            "it with torch.onnx, or build it from bdnet's layers"
        )
    # torch.export takes an example batch of 1 for a constant, so a dynamic batch is shown as 2.
    examples = [torch.zeros(2 if batch is None else batch, *shape) for shape in shapes.values()]
    traced = trace(
        network,
        examples,
        opset,
        list(shapes),
        None,
        dynamic_batch=batch is None,
        dynamic_size=dynamic_size,
    )
    graph = traced.model.graph
    for value in _values(graph):
        if value.name is not None:
            value.metadata_props[ORIGIN] = value.name
    program = traced.exported_program
    assert program is not None, "torch.onnx keeps what it has traced"
    name_outputs(graph, program, {*shapes, *layers, *graph.initializers})
    name_by_module(graph, layers)
    require_steady(graph, program)
    spell_out_literals(graph)
    move_transposes(traced.model)
    # Before fusion, which leaves the values between fused nodes their names alone.
    origins = {}
    for value in _values(graph):
        origin = value.metadata_props.get(ORIGIN)
        if origin is not None and value.name is not None:
            name, _, layout = origin.partition(":")
            origins[value.name] = Origin(name, layout == "nhwc")
    fusion = fuse_layers(traced.model, apply=fuse)
    kept = {value.name for value in _values(graph)}
    present = [layer for layer in layers if layer in kept]
    return ModuleGraph(network, traced.model, program, origins, present, fusion)


def _values(graph: ir.Graph) -> list[ir.Value]:
    return [*graph.inputs, *(value for node in graph for value in node.outputs)]
