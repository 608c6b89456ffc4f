"""bdnet-export bench"""

from collections import defaultdict
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.bar import Bar

from bdnet_export.cli.arguments import (
    DeviceOption,
    InventoryOption,
    JsonOption,
    ModelArgument,
    WheelOption,
    parse_numbers,
)
from bdnet_export.cli.main import BAD_INPUT
from bdnet_export.cli.output import Output, megabytes, milliseconds, percentiles, table
from bdnet_export.cli.side_by_side import side_by_side

if TYPE_CHECKING:
    from bdnet_devices import Ratio
    from bdnet_export.cli.output import StageProgress
    from bdnet_export.device_bench import DeviceBench

ROUNDS = 10
EMULATED = "emulated"  # in the place of a time that is no device's
BAR_WIDTH = 24
ENGINES = {
    "onnxruntime": "ONNX Runtime",
    "ai-edge-litert": "LiteRT",
    "tflite-runtime": "TensorFlow Lite",
}


def bench(
    onnx_file: ModelArgument,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="Measure beside it, in turn: fp32, int8 and tflite (its twins in ordinary "
            "arithmetic; tflite is fp32's in LiteRT), no-library, other kernels of ours such as "
            "reference, or paths of .onnx and .tflite files.",
            show_default=False,
        ),
    ] = None,
    threads: Annotated[
        str, typer.Option(metavar="N[,N...]", help="Threads of a run, 1 to 1024.")
    ] = "1",
    batch: Annotated[
        str | None,
        typer.Option(
            metavar="N[,N...]",
            help="Images a run, where the file leaves it open; by default 1.",
            show_default=False,
        ),
    ] = None,
    warmup: Annotated[
        int, typer.Option(min=0, metavar="N", help="Runs that are not measured.")
    ] = 10,
    seconds: Annotated[float, typer.Option(metavar="S", help="How long to measure, each.")] = 5.0,
    rounds: Annotated[
        int | None,
        typer.Option(
            metavar="N", help=f"Turns of each, where there are several; by default {ROUNDS}."
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|FOLDER",
            help="Images that int8 is calibrated on, as validate reads them; by default noise.",
            show_default=False,
        ),
    ] = None,
    keep_twins: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Where the twins are written and stay.", show_default=False
        ),
    ] = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="Show the time of each layer.")
    ] = False,
    no_library: Annotated[
        bool,
        typer.Option(
            "--no-library", help="Run the standard operators in the file, not bdnet's kernels."
        ),
    ] = False,
    device: DeviceOption = None,
    inventory: InventoryOption = None,
    wheel: WheelOption = None,
    governor: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Set it while measuring, such as performance; restored in any case.",
            show_default=False,
        ),
    ] = None,
    max_temperature: Annotated[
        float | None,
        typer.Option(
            metavar="C",
            help="Degrees Celsius to cool down to before measuring.",
            show_default=False,
        ),
    ] = None,
    cool_down: Annotated[
        float, typer.Option(min=0, metavar="S", help="Seconds to wait for that at most.")
    ] = 300.0,
    source: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="The trained network, to verify the file with before it is measured.",
            show_default=False,
        ),
    ] = None,
    json_file: JsonOption = None,
) -> int:
    """Measure the file, in a fresh process: here, or on boards with --device.

    A board gets what it lacks, is verified first (with what the file's standard operators compute
    here, or PyTorch with --source), watched while it measures, and left as it was.

    One batch of noise, again and again. Every sample is kept, none is dropped as an outlier: what
    looks like one may be the processor slowing down. The JSON has them all.

    With --against, or several numbers of threads or images, each has a process of its own and
    they take turns; every ratio is made round by round and shown with its least and greatest.

    For example:

    - `bdnet-export bench fashion.onnx`
    - beside what else one could deploy: `bdnet-export bench fashion.onnx --against fp32,int8`
    - beside LiteRT: `bdnet-export bench fashion.onnx --against tflite,mine.tflite`
    - what a second thread is worth: `bdnet-export bench fashion.onnx --against fp32 --threads 1,2`
    - what the kernels are worth: `bdnet-export bench fashion.onnx --against no-library,reference`
    - where the time goes: `bdnet-export bench fashion.onnx --profile`
    - on two boards: `bdnet-export bench fashion.onnx --device pi5,orin --source fashion-mnist`
    - for a script: `bdnet-export bench fashion.onnx --threads 2 --seconds 10 --json -`
    """
    names = [] if against is None else against.split(",")
    thread_counts = parse_numbers(threads, "--threads")
    batches: list[int | None] = [None] if batch is None else [*parse_numbers(batch, "--batch")]
    several = bool(names) or len(thread_counts) > 1 or len(batches) > 1
    twins = {"fp32", "int8", "tflite"}.intersection(names)
    for given, needed, option, reason in (
        (profile, not several, "--profile", "it shows one file with one number of threads"),
        (rounds is not None, several, "--rounds", "there is nothing else to take turns with"),
        (images is not None, "int8" in twins, "--images", "they are for '--against int8'"),
        (keep_twins is not None, bool(twins), "--keep-twins", "'--against' names no twin"),
    ):
        if given and not needed:
            raise typer.BadParameter(f"{reason}; leave it out", param_hint=f"'{option}'")

    from bdnet_devices import LocalDevice
    from bdnet_devices.care import Care, bench_result, single_run, watched
    from bdnet_runtime.benchmark import BenchmarkOptions

    care = Care(governor, max_temperature, cool_down)
    options = BenchmarkOptions(
        warmup=warmup, seconds=seconds, use_library=not no_library, profile=profile
    )
    out = Output(json_file)
    if not several and source is None and device is None:
        # Without PyTorch, which takes longer to load than this takes to measure.
        options = replace(options, threads=thread_counts[0], batch=batches[0])
        local = LocalDevice()
        with out.progress() as progress, watched(local, care, progress) as conditions:
            benchmark = local.benchmark(onnx_file, options, progress)
        runs = [single_run(benchmark)]
        result = bench_result(local, onnx_file, runs, conditions.report)
        _show_one(out, result)
        out.json(result)
        return 0
    devices = list(dict.fromkeys((device or "local").split(",")))
    files = ExitStack()
    with out.progress() as progress:
        progress("loading PyTorch")
        import bdnet_export
        from bdnet_devices import open_device
        from bdnet_export.contestants import needs_lite
        from bdnet_export.device_bench import ParityQuestion, bench_on_device
        from bdnet_export.parity import bench_reference
        from bdnet_export.speed import contest
        from bdnet_runtime.lite import lite_runtime

        if device is not None:
            from bdnet_devices.remote import require_devices

            require_devices(devices, inventory)
        if "local" in devices and needs_lite(names):
            lite_runtime()
        question = None
        if source is not None or device is not None:
            network = None
            if source is not None:
                progress(f"computing what {source} gives")
                network = bdnet_export.load_source(source).model
            question = ParityQuestion(*bench_reference(onnx_file, network))
        prepared = files.enter_context(
            contest(
                onnx_file,
                names,
                settings=[bdnet_export.Setting(t, b) for b in batches for t in thread_counts],
                options=options,
                rounds=ROUNDS if rounds is None else rounds,
                images=images,
                twins_folder=keep_twins,
                progress=progress,
            )
        )

    def bench_one(name: str, tell: "StageProgress") -> "DeviceBench":
        with open_device(name, inventory, wheel=wheel, progress=tell) as opened:
            return bench_on_device(opened, prepared, care, question, tell)

    with files:
        outcomes = side_by_side(out, devices, bench_one)
    status = 0
    for name, outcome in outcomes.items():
        if len(devices) > 1:
            out.line(f"\n{name}", "bold")
        if isinstance(outcome, Exception):
            out.failure(str(outcome))
            status = BAD_INPUT
            continue
        if len(outcome.comparison.runs) > 1:
            _show_comparison(out, onnx_file, outcome)
            _show_care(out, outcome.result)
        else:
            _show_one(out, outcome.result)
        if outcome.parity_failed and status == 0:
            status = 1
    found = [one.result for one in outcomes.values() if not isinstance(one, Exception)]
    if found:
        out.json(found[0] if len(devices) == 1 else {"schema": 2, "kind": "benches", "of": found})
    return status


def _show_one(out: Output, result: dict[str, Any]) -> None:
    benchmark = result["runs"][0]["benchmark"]
    if benchmark["profile"] is not None and not result["emulated"]:
        _show_profile(out, benchmark["profile"])
    device = result["device"]
    where = "" if device["address"] is None else f" on {device['name']}"
    _show(out, benchmark, f"{result['model']}{where}")
    _show_care(out, result)


def _show_care(out: Output, result: dict[str, Any]) -> None:
    """What makes the times worth more or less."""
    parity, conditions = result["parity"], result["conditions"]
    if parity is not None:
        found = f"{parity['different']:,} of {parity['values']:,} values differ"
        said = f"{parity['source']}: {found} on {parity['images']} images of noise"
        if parity["passed"]:
            out.success(f"Equal to {said}")
        else:
            first = parity["first_difference"] or "the logits"
            out.failure(f"Not equal to {said}, first in {first}")
    if conditions["throttled"]:
        out.failure(
            f"Throttled while measured ({', '.join(conditions['throttled'])}): the times are those "
            "of a slower machine; cool it, see its power supply, or give --max-temperature"
        )
    if conditions["clock"]["jumped"]:
        jump = conditions["clock"]["jump_ms"]
        out.failure(f"The clock was set by {jump:+.0f} ms while measured; times may be wrong")


def runner(result: dict[str, Any]) -> str:
    """What ran the model."""
    return f"bdnet kernels ({result['isa']})" if result["use_library"] else "standard operators"


def engine(result: dict[str, Any]) -> str:
    """The program that ran the model, and its version."""
    name = result["engine"]["name"]
    return f"{ENGINES.get(name, name)} {result['engine']['version']}"


def _show(out: Output, result: dict[str, Any], measured_file: str) -> None:
    latency, memory, host = result["latency_ms"], result["memory"], result["host"]
    times = {
        "load": milliseconds(result["load_ms"]),
        "first run": milliseconds(result["first_run_ms"]),
        **{name: milliseconds(value) for name, value in latency.items()},
        "throughput": f"{result['images_per_second']:,.1f} images/s",
    }
    if host["emulated"]:
        times = {"times": EMULATED}
    rows = {
        "input": f"{result['input']['shape']} {result['input']['dtype']}, noise",
        "run by": f"{runner(result)}, {engine(result)}",
        "threads": str(result["threads"]),
        "processor": _processor(host),
        "governor": host["governor"] or "not readable",
        **times,
    }
    if result["profile"] is None:  # the profiler takes more than a model
        rows["peak memory"] = megabytes(memory["peak_bytes"])
        if memory["model_bytes"] is not None:
            rows["peak memory"] += f", {megabytes(memory['model_bytes'])} of it for the model"
    shown = table()
    for name, value in rows.items():
        shown.add_row(name, value)
    out.table(shown)
    measured = sum(result["samples_ms"]) / 1000
    shown_times = EMULATED if host["emulated"] else percentiles(latency)
    out.success(
        f"Measured {measured_file} ({megabytes(result['model']['bytes'])}): {shown_times} over "
        f"{len(result['samples_ms'])} runs in {measured:.1f} s"
    )


def _processor(host: dict[str, Any]) -> str:
    return str(host["cpu"] or host["board"] or host["machine"])


def _show_profile(out: Output, profile: dict[str, Any]) -> None:
    layers = [(layer["name"], layer["operator"], layer["ms"]) for layer in profile["layers"]]
    layers.append(("between the nodes", "", profile["between_ms"]))
    total = profile["total_ms"]
    _show_times(out, "layer", layers, total)
    sums: dict[str, float] = defaultdict(float)
    counts: dict[str, int] = defaultdict(int)
    for _, operator, ms in layers[:-1]:
        sums[operator] += ms
        counts[operator] += 1
    operators = [
        (operator, f"{counts[operator]} nodes" if counts[operator] > 1 else "1 node", ms)
        for operator, ms in sorted(sums.items(), key=lambda item: -item[1])
    ]
    _show_times(out, "operator", [*operators, layers[-1]], total)
    out.line(
        f"Medians of {profile['runs']} runs with ONNX Runtime's profiler, which makes all times "
        "here somewhat longer"
    )


def _show_times(out: Output, what: str, rows: list[tuple[str, str, float]], total: float) -> None:
    shown = table(what, "", "time", "share", "", right=("time", "share"))
    largest = max(ms for _, _, ms in rows)
    for name, more, ms in rows:
        bar = Bar(largest, 0, ms, width=BAR_WIDTH)
        shown.add_row(name, more, milliseconds(ms), f"{ms / total:.1%}", bar)
    shown.add_row("total", "", milliseconds(total), "100.0%", "")
    out.table(shown)


def _show_comparison(out: Output, onnx_file: Path, bench: "DeviceBench") -> None:
    comparison = bench.comparison
    runs = comparison.runs
    emulated = bench.result["emulated"]
    shown_names = {run.name: onnx_file.name if run.name == "model" else run.name for run in runs}
    of_model = f"time / {onnx_file.name}'s"
    columns: dict[str, list[str]] = {"": [shown_names[run.name] for run in runs]}
    engines = [engine(run.benchmark) for run in runs]
    if len(set(engines)) > 1:
        columns["engine"] = engines
    columns["threads"] = [str(run.setting.threads) for run in runs]
    columns["batch"] = [str(run.benchmark["batch"]) for run in runs]
    columns["p50"] = [
        EMULATED if emulated else milliseconds(run.benchmark["latency_ms"]["p50"]) for run in runs
    ]
    ratios = {
        of_model: comparison.ratio,
        "by threads": comparison.thread_scaling,
        "by threads / fp32's": comparison.scaling_over_fp32,
        "by batch": comparison.batch_scaling,
    }
    for name, ratio in ratios.items():
        columns[name] = ["" if emulated else _spread(ratio(run)) for run in runs]
    columns["model memory"] = [
        "" if run.model_bytes is None else megabytes(run.model_bytes) for run in runs
    ]
    memory = [comparison.memory_over_fp32(run) for run in runs]
    columns["memory / fp32's"] = ["" if value is None else f"{value:.2f}" for value in memory]
    columns = {name: cells for name, cells in columns.items() if any(cells)}

    shown = table(*columns, right=tuple(columns)[1:])
    for row in zip(*columns.values(), strict=True):
        shown.add_row(*row)
    out.table(shown)
    if "by threads" in columns:
        out.line("by threads: how many times as fast as with the first number of threads")
    if "by batch" in columns:
        out.line("by batch: how many times as fast an image is as in the first batch")
    if comparison.calibration is not None:
        out.line(f"int8 is calibrated on {comparison.calibration}")
    host = runs[0].benchmark["host"]
    out.success(
        f"Measured {onnx_file} ({megabytes(onnx_file.stat().st_size)}) with "
        f"{runner(runs[0].benchmark)} in turn with {len(runs) - 1} more in {comparison.rounds} "
        f"rounds on {_processor(host)}; medians of the rounds' ratios, with least and greatest"
    )


def _spread(ratio: "Ratio | None") -> str:
    if ratio is None:
        return ""
    return f"{ratio.median:.2f} ({ratio.lowest:.2f}–{ratio.highest:.2f})"
