"""What the regions of a module's file should compute, from PyTorch or from its own operators."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx
from torch import nn

import bdnet_runtime
from bdnet_export.int8_linear import int8_nodes
from bdnet_export.layer_names import layer_names
from bdnet_export.metadata import read_metadata
from bdnet_export.model_file import fixed_batch, load_model, with_outputs
from bdnet_export.module_validation import validate_module
from bdnet_export.module_whole import run_session
from bdnet_export.region_record import Cut, RegionQuestion, RegionRecord
from bdnet_export.regions import extract, find_regions
from bdnet_runtime.verification import Images, fill_batch


def module_reference(path: Path, model: nn.Module, inputs: Sequence[Images]) -> RegionQuestion:
    """What PyTorch computes. Raises `InputError` where the file is not of this module."""
    record = RegionRecord()
    validate_module(path, model, inputs, record=record)
    return record.question()


def standard_module_reference(path: Path, inputs: Sequence[Images]) -> RegionQuestion:
    """What the file computes here by its operators' bodies.

    Args:
        inputs: one array an input of the file.
    """
    proto = load_model(path)
    known = (*proto.graph.value_info, *proto.graph.input, *proto.graph.output)
    floats = {
        value.name for value in known if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    } - {tensor.name for tensor in proto.graph.initializer}
    int8 = int8_nodes(proto, read_metadata(proto, path).int8)
    regions = find_regions(proto, floats, (), int8)
    parts = [extract(proto, region, floats, int8) for region in regions]
    outputs = [name for region in regions for name in region.outputs]
    cut = Cut(regions, parts, layer_names(proto, outputs))
    read = {name for part in parts for name in part.inputs}
    fed = [value.name for value in proto.graph.input]
    wanted = sorted({*read, *outputs}.difference(fed))
    session = bdnet_runtime.create_session(
        with_outputs(proto, wanted), use_library=False, name=str(path)
    )
    fixed, total = fixed_batch(proto), len(inputs[0])
    batches = []
    for begin in range(0, total, fixed or total):
        part = slice(begin, begin + (fixed or total))
        feeds = {
            name: fill_batch(array[part], fixed) for name, array in zip(fed, inputs, strict=True)
        }
        values = dict(zip(wanted, run_session(session, wanted, feeds, str(path)), strict=True))
        batches.append(cut.batch({**values, **feeds}, len(inputs[0][part])))
    return cut.question(batches)
