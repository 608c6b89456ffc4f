"""bdnet-export export"""

from dataclasses import asdict
from typing import Annotated

import typer

from bdnet_export.cli.arguments import (
    JsonOption,
    OutputOption,
    SourceArgument,
    parse_batch,
    parse_shape,
)
from bdnet_export.cli.output import Output, megabytes


def export(
    source: SourceArgument,
    output: OutputOption,
    input_shape: Annotated[
        str | None,
        typer.Option(
            metavar="C,H,W",
            help="Channels, height and width of an image. Needed where SOURCE does not say it.",
            show_default=False,
        ),
    ] = None,
    batch: Annotated[
        str,
        typer.Option(metavar="dynamic|N", help="Images a run: any number, or always N."),
    ] = "dynamic",
    opset: Annotated[int, typer.Option(help="Version of the standard ONNX operators.")] = 18,
    no_fallback: Annotated[
        bool,
        typer.Option(
            "--no-fallback",
            help="Leave out the bodies of the custom operators: a smaller file that runs only "
            "with bdnet's library.",
        ),
    ] = False,
    no_fuse: Annotated[
        bool,
        typer.Option(
            "--no-fuse",
            help="Keep every unit a node of its own, so that validation names the unit that "
            "differs and a profile times it; slower, with the same bits.",
        ),
    ] = False,
    json_file: JsonOption = None,
) -> None:
    """Write a trained network as one ONNX file.

    The file runs in any ONNX Runtime; with bdnet's library it runs fast.

    For example:

    - a shipped model: `bdnet-export export fashion-mnist -o fashion.onnx`
    - a checkpoint, one image a run: `bdnet-export export model.safetensors -o model.onnx --batch 1`
    - your own function: `bdnet-export export mine.models:build -o mine.onnx --input-shape 3,64,64`
    """
    given_shape = None if input_shape is None else parse_shape(input_shape)
    fixed_batch = parse_batch(batch)
    out = Output(json_file)
    with out.progress() as progress:
        progress("loading PyTorch")
        import bdnet_export

        progress(f"reading {source}")
        network = bdnet_export.load_source(source)
        shape = given_shape or network.input_shape
        if shape is None:
            raise typer.BadParameter(
                f"{source!r} does not say the shape of its images; give it, for example "
                "--input-shape 3,224,224",
                param_hint="'--input-shape'",
            )
        result = bdnet_export.export(
            network.model,
            output,
            input_shape=shape,
            dynamic_batch=fixed_batch is None,
            batch=fixed_batch or 1,
            opset=opset,
            fallback=not no_fallback,
            fuse=not no_fuse,
            preprocessing=network.preprocessing,
            progress=progress,
        )
    out.success(
        f"Exported {source} to {result.path} in {result.seconds:.1f} s: {megabytes(result.bytes)}, "
        f"{result.nodes} nodes, {result.custom_nodes} of them ai.bdnet"
        + (f" ({result.fused_nodes} fused)" if result.fused_nodes else "")
        + f", opset {result.opset}"
    )
    out.json(
        {
            "schema": 1,
            "source": source,
            "input_shape": shape,
            "batch": fixed_batch or "dynamic",
            **asdict(result),
        }
    )
