"""bdnet-export export"""

from dataclasses import asdict
from typing import Annotated

import typer

from bdnet_export.cli.arguments import (
    InputOption,
    JsonOption,
    OutputOption,
    SourceArgument,
    parse_batch,
    parse_input,
    parse_per_channel,
    parse_shapes,
)
from bdnet_export.cli.output import Output, megabytes, table


def export(
    source: SourceArgument,
    output: OutputOption,
    input_shape: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]C,H,W",
            help="Channels, height and width of an image. Needed where SOURCE does not say it. Of "
            "a module with several inputs once for each, in the order of its forward or by name.",
            show_default=False,
        ),
    ] = None,
    batch: Annotated[
        str,
        typer.Option(metavar="dynamic|N", help="Images a run: any number, or always N."),
    ] = "dynamic",
    dynamic_size: Annotated[
        bool,
        typer.Option(
            "--dynamic-size",
            help="Images of any height and width; those of --input-shape are an example.",
        ),
    ] = False,
    input_type: InputOption = "float32",
    mean: Annotated[
        str | None,
        typer.Option(
            metavar="M[,M...]",
            help="Of each channel, in units of the full range, for --input uint8; by default the "
            "checkpoint's.",
            show_default=False,
        ),
    ] = None,
    std: Annotated[
        str | None,
        typer.Option(metavar="S[,S...]", help="As --mean.", show_default=False),
    ] = None,
    classifier: Annotated[
        str,
        typer.Option(
            metavar="float32|int8",
            help="Weights of the classifier, and of other large Linear layers behind the last "
            "sign: int8 makes the file smaller and the logits a little other.",
        ),
    ] = "float32",
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
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Show of each layer which fused operator it is in, or why it is in none and what "
            "to change.",
        ),
    ] = False,
    json_file: JsonOption = None,
) -> None:
    """Write a trained network as one ONNX file.

    The file runs in any ONNX Runtime; with bdnet's library it runs fast.

    For example:

    - a shipped model: `bdnet-export export fashion-mnist -o fashion.onnx`
    - a checkpoint, one image a run: `bdnet-export export model.safetensors -o model.onnx --batch 1`
    - images of any size: `bdnet-export export fashion-mnist -o any.onnx --dynamic-size`
    - image bytes as input: `bdnet-export export fashion-mnist -o bytes.onnx --input uint8`
    - a third of the bytes: `bdnet-export export m.safetensors -o small.onnx --classifier int8`
    - what is fused, and why not: `bdnet-export export m.safetensors -o m.onnx --explain`
    - your own function: `bdnet-export export mine.models:build -o mine.onnx --input-shape 3,64,64`
    - with two inputs: `bdnet-export export mine:build -o m.onnx --input-shape image=3,64,64
      --input-shape depth=1,64,64`
    """
    given_shape = parse_shapes(input_shape) if input_shape else None
    fixed_batch = parse_batch(batch)
    as_bytes = parse_input(input_type)
    if classifier not in ("float32", "int8"):
        raise typer.BadParameter(
            f"{classifier!r} is no type of its weights; expected float32 or int8",
            param_hint="'--classifier'",
        )
    given_preprocessing = _given_preprocessing(as_bytes, mean, std)
    out = Output(json_file)
    with out.progress() as progress:
        progress("loading PyTorch")
        import bdnet
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
        preprocessing = network.preprocessing
        if given_preprocessing is not None:
            preprocessing = bdnet.Preprocessing(*given_preprocessing)
        if as_bytes and preprocessing is None:
            raise typer.BadParameter(
                f"{source!r} does not say how its images are normalised; give --mean and --std, "
                "for example --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225",
                param_hint="'--input'",
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
            preprocessing=preprocessing,
            as_bytes=as_bytes,
            dynamic_size=dynamic_size,
            int8_classifier=classifier == "int8",
            progress=progress,
        )
    if explain:
        shown = table("layer", "operators", "fused into, or why it is not")
        for layer in result.layers:
            shown.add_row(layer.layer, ", ".join(layer.operators), layer.fused_into or layer.reason)
        out.table(shown)
    out.success(
        f"Exported {source} to {result.path} in {result.seconds:.1f} s: {megabytes(result.bytes)}, "
        f"{result.nodes} nodes, {result.custom_nodes} of them ai.bdnet"
        + (f" ({result.fused_nodes} fused)" if result.fused_nodes else "")
        + f", opset {result.opset}"
        + (", reads image bytes" if as_bytes else "")
        + (", of any size" if dynamic_size else "")
        + (", classifier in int8" if classifier == "int8" else "")
    )
    out.json(
        {
            "schema": 1,
            "source": source,
            "input_shape": next(iter(result.inputs.values())),
            "batch": fixed_batch or "dynamic",
            "dynamic_size": dynamic_size,
            "input": input_type,
            "classifier": classifier,
            "preprocessing": None if preprocessing is None else preprocessing.to_dict(),
            **asdict(result),
        }
    )


def _given_preprocessing(
    as_bytes: bool, mean: str | None, std: str | None
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Mean and standard deviation, where they are given; then both are."""
    given = {"--mean": mean, "--std": std}
    absent = [option for option, text in given.items() if text is None]
    if len(absent) == 2:
        return None
    if not as_bytes:
        raise typer.BadParameter(
            "it is part of a file that reads bytes; add --input uint8, or leave it out",
            param_hint="'--std'" if mean is None else "'--mean'",
        )
    if mean is None or std is None:
        (missing,) = absent
        raise typer.BadParameter("it is missing; give --mean and --std", param_hint=f"'{missing}'")
    return parse_per_channel(mean, "--mean"), parse_per_channel(std, "--std")
