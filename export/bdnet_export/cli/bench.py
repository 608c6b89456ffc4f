"""bdnet-export bench"""

from typing import Annotated, Any

import typer

from bdnet_export.cli.arguments import JsonOption, ModelArgument
from bdnet_export.cli.output import Output, megabytes, milliseconds, percentiles, table


def bench(
    onnx_file: ModelArgument,
    threads: Annotated[int, typer.Option(metavar="N", help="Threads of a run, 1 to 1024.")] = 1,
    warmup: Annotated[
        int, typer.Option(min=0, metavar="N", help="Runs that are not measured.")
    ] = 10,
    seconds: Annotated[
        float, typer.Option(metavar="S", help="How long to measure; at least 10 runs.")
    ] = 5.0,
    no_library: Annotated[
        bool,
        typer.Option(
            "--no-library", help="Run the standard operators in the file, not bdnet's kernels."
        ),
    ] = False,
    json_file: JsonOption = None,
) -> None:
    """Measure the file on this machine, in a fresh process.

    One batch of noise, again and again. Every sample is kept, none is dropped as an outlier: what
    looks like one may be the processor slowing down. The JSON has them all.

    For example:

    - `bdnet-export bench fashion.onnx`
    - what the kernels are worth: `bdnet-export bench fashion.onnx --no-library`
    - for a script: `bdnet-export bench fashion.onnx --threads 2 --seconds 10 --json -`
    """
    out = Output(json_file)
    with out.progress() as progress:
        from bdnet_devices import LocalDevice
        from bdnet_runtime.benchmark import BenchmarkOptions

        options = BenchmarkOptions(threads, warmup, seconds, not no_library)
        result = LocalDevice().benchmark(onnx_file, options, progress)
    _show(out, result)
    out.json(result)


def runner(result: dict[str, Any]) -> str:
    """What ran the model."""
    return f"bdnet kernels ({result['isa']})" if result["use_library"] else "standard operators"


def _show(out: Output, result: dict[str, Any]) -> None:
    latency, memory, host = result["latency_ms"], result["memory"], result["host"]
    rows = {
        "input": f"{result['input']['shape']} {result['input']['dtype']}, noise",
        "run by": f"{runner(result)}, ONNX Runtime {result['versions']['onnxruntime']}",
        "threads": str(result["threads"]),
        "processor": host["cpu"] or host["board"] or host["machine"],
        "governor": host["governor"] or "not readable",
        "load": milliseconds(result["load_ms"]),
        "first run": milliseconds(result["first_run_ms"]),
        **{name: milliseconds(value) for name, value in latency.items()},
        "throughput": f"{result['images_per_second']:,.1f} images/s",
        "peak memory": megabytes(memory["peak_bytes"]),
    }
    if memory["model_bytes"] is not None:
        rows["peak memory"] += f", {megabytes(memory['model_bytes'])} of it for the model"
    shown = table()
    for name, value in rows.items():
        shown.add_row(name, value)
    out.table(shown)
    measured = sum(result["samples_ms"]) / 1000
    out.success(
        f"Measured {result['model']['path']} ({megabytes(result['model']['bytes'])}): "
        f"{percentiles(latency)} over {len(result['samples_ms'])} runs in {measured:.1f} s"
    )
