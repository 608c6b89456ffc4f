"""A file cut at the borders of its regions: one model in which each region stands by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx

from bdnet_export.regions import Part


def given(name: str) -> str:
    """The input of a cut file from which its regions read the value ``name``."""
    return f"{name}@given"


def cut_file(parts: Sequence[Part], outputs: Mapping[str, str]) -> bytes:
    """All ``parts`` side by side in one model, serialised.

    A value that one region computes and another reads is an output and, apart from that, an input,
    so nothing that goes wrong in a region reaches another.

    Args:
        outputs: by the name of each value that a region puts out: what it is called here.
    """
    cut = onnx.ModelProto()
    made: dict[str, onnx.ValueInfoProto] = {}
    constants: dict[str, onnx.TensorProto] = {}
    for index, part in enumerate(parts):
        model = onnx.ModelProto.FromString(part.model)
        if index == 0:
            cut.CopyFrom(model)
            cut.graph.Clear()
            cut.graph.name = "regions"
        constants |= {tensor.name: tensor for tensor in model.graph.initializer}
        names = {tensor.name: tensor.name for tensor in model.graph.initializer} | {"": ""}
        names |= {value.name: given(value.name) for value in model.graph.input}
        names |= {value.name: outputs[value.name] for value in model.graph.output}
        for node in model.graph.node:
            for values in (node.input, node.output):
                values[:] = [names.get(name, f"{name}@{index}") for name in values]
            node.name = f"{node.name}@{index}"
        for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
            value.name = names.get(value.name, f"{value.name}@{index}")
        made |= {value.name: value for value in model.graph.input}
        cut.graph.node.extend(model.graph.node)
        cut.graph.output.extend(model.graph.output)
        cut.graph.value_info.extend(model.graph.value_info)
    cut.graph.input.extend(made.values())
    cut.graph.initializer.extend(constants.values())
    return bytes(cut.SerializeToString())
