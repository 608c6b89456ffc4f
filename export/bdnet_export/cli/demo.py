"""bdnet-export demo"""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bdnet_export.cli.arguments import InputOption, JsonOption, parse_input
from bdnet_export.cli.bench_output import runner
from bdnet_export.cli.output import Output, megabytes, percent, percentiles, table

MODEL = "fashion-mnist"


def demo(
    output: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where to write the ONNX file.")
    ] = Path("bdnet-demo"),
    seconds: Annotated[
        float, typer.Option(metavar="S", help="How long to measure, each time.")
    ] = 3.0,
    input_type: InputOption = "float32",
    json_file: JsonOption = None,
) -> int:
    """Export, validate and measure the shipped Fashion-MNIST network.

    Checkpoint and images come with bdnet. Status 1 if the file is not equal to the network.

    For example:

    - `bdnet-export demo`
    - on image bytes: `bdnet-export demo --input uint8`
    - `bdnet-export demo --output build/demo --json demo.json`
    """
    started = time.perf_counter()
    as_bytes = parse_input(input_type)
    out = Output(json_file)
    with out.progress() as progress:
        progress("loading PyTorch")
        import bdnet_export
        from bdnet import zoo
        from bdnet_devices import LocalDevice
        from bdnet_runtime.benchmark import BenchmarkOptions

        measurements = [
            BenchmarkOptions(seconds=seconds, use_library=use_library)
            for use_library in (True, False)
        ]
        _make_folder(output)
        source = bdnet_export.load_source(MODEL)
        images = zoo.held_out_images(MODEL)
        assert source.input_shape is not None
        assert images is not None
        exported = bdnet_export.export(
            source.model,
            output / f"{MODEL}.onnx",
            input_shape=source.input_shape,
            preprocessing=source.preprocessing,
            as_bytes=as_bytes,
            progress=progress,
        )
        report = bdnet_export.validate(
            exported.path,
            source.model,
            bdnet_export.load_images(
                images,
                input_shape=source.input_shape,
                preprocessing=source.preprocessing,
                as_bytes=as_bytes,
            ),
            progress=lambda done, total: progress("comparing with PyTorch", done / total),
        )
        results = [
            LocalDevice().benchmark(exported.path, options, progress) for options in measurements
        ]

    checkpoint_bytes = zoo.checkpoint_path(MODEL).stat().st_size
    shown = table()
    shown.add_row("accuracy, PyTorch", percent(report.accuracy_pytorch))
    shown.add_row("accuracy, ONNX", percent(report.accuracy_onnx))
    shown.add_row("images compared", f"{report.images:,} ({report.inputs})")
    shown.add_row("values compared", f"{report.values_compared:,}")
    shown.add_row("values that differ", f"{report.values_different:,}")
    shown.add_row("checkpoint", megabytes(checkpoint_bytes))
    shown.add_row("ONNX file", megabytes(exported.bytes))
    for result in results:
        shown.add_row(f"latency, {runner(result)}", percentiles(result["latency_ms"]))
    out.table(shown)
    out.json(
        {
            "schema": 1,
            "checkpoint_bytes": checkpoint_bytes,
            "export": asdict(exported),
            "validation": report.to_dict(),
            "benchmarks": results,
        }
    )
    if not report.passed:
        for check in report.checks:
            if not check.passed:
                out.failure(f"{check.name}: {check.message}")
        return 1
    out.success(
        f"{exported.path} ({megabytes(exported.bytes)}) is the network in {MODEL}: every check "
        f"passed; exported, compared and measured in {time.perf_counter() - started:.1f} s"
    )
    return 0


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(
            f"the folder {str(folder)!r} cannot be made: {error.strerror}", param_hint="'--output'"
        ) from None
