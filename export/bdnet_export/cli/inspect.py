"""bdnet-export inspect"""

import time
from collections.abc import Sequence

from bdnet_export.cli.arguments import JsonOption, ModelArgument
from bdnet_export.cli.output import Output, megabytes, table

METADATA_WIDTH = 100


def inspect(onnx_file: ModelArgument, json_file: JsonOption = None) -> None:
    """Show what is in a file, without running it.

    Operators, metadata, and for every layer with weights its shapes, bytes, operations and what
    would run it here. OPs are FLOPs + binary operations / 64, of one image.

    For example:

    - `bdnet-export inspect fashion.onnx`
    - the largest layer: `bdnet-export inspect fashion.onnx --json - | jq '.layers |
      max_by(.packed_bytes)'`
    """
    out = Output(json_file)
    with out.progress() as progress:
        progress("loading PyTorch")
        import bdnet_export

        progress(f"reading {onnx_file}")
        started = time.perf_counter()
        found = bdnet_export.inspect(onnx_file)
        seconds = time.perf_counter() - started

    about = table()
    for name, shape in found.inputs.items():
        about.add_row("input", f"{name} {_shape(shape)}, {found.input_types[name]}")
    for name, shape in found.outputs.items():
        about.add_row("output", f"{name} {_shape(shape)}")
    about.add_row("opset", str(found.opset))
    about.add_row("written by", f"bdnet {found.version}")
    about.add_row(
        "operators", ", ".join(f"{count} {name}" for name, count in found.operators.items())
    )
    for name, value in found.metadata.items():
        shown = value if len(value) <= METADATA_WIDTH else value[:METADATA_WIDTH] + " ..."
        about.add_row(name, shown)
    out.table(about)

    numbers = ("packed B", "float B", "binary OPs", "FLOPs")
    shapes = ("input", "output")  # of one image: the batch, first, is left out
    layers = table("layer", "operator", *shapes, *numbers, "runs in", right=numbers)
    for layer in found.layers:
        layers.add_row(
            layer.name,
            layer.operator,
            _shape(layer.input_shape[1:]),
            _shape(layer.output_shape[1:]),
            f"{layer.packed_bytes:,}",
            f"{layer.float_bytes:,}",
            _count(layer.binary_ops),
            _count(layer.flops),
            layer.where,
        )
    out.table(layers)
    out.success(
        f"Read {found.path} in {seconds:.1f} s: {megabytes(found.bytes)}, "
        f"{len(found.layers)} layers, {found.packed_bytes:,} bytes packed, "
        f"{found.float_bytes:,} bytes float, {_count(found.ops)} OPs"
    )
    out.json(found.to_dict())


def _shape(shape: Sequence[int | str | None]) -> str:
    return " x ".join("?" if size is None else str(size) for size in shape)


def _count(number: float | None) -> str:
    return "not known" if number is None else f"{number:,.0f}"
