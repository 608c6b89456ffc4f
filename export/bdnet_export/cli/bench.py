"""bdnet-export bench"""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bdnet_export.cli.arguments import (
    DeviceOption,
    InventoryOption,
    JsonOption,
    ModelArgument,
    WheelOption,
    parse_devices,
    parse_numbers,
    typed_command,
)
from bdnet_export.cli.bench_output import show_one, show_outcomes
from bdnet_export.cli.output import Output
from bdnet_export.cli.side_by_side import show_plans, side_by_side

if TYPE_CHECKING:
    from bdnet_devices.care import Care
    from bdnet_export.cli.output import StageProgress
    from bdnet_export.device_bench import DeviceBench
    from bdnet_runtime.benchmark import BenchmarkOptions

ROUNDS = 10


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
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show what would be run on the devices; run none of it."),
    ] = False,
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
    - to see it first: `bdnet-export bench fashion.onnx --device pi5 --dry-run`
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
        (json_file is not None, not dry_run, "--json", "a dry run has no result"),
    ):
        if given and not needed:
            raise typer.BadParameter(f"{reason}; leave it out", param_hint=f"'{option}'")

    from bdnet_devices.care import Care
    from bdnet_runtime.benchmark import BenchmarkOptions

    care = Care(governor, max_temperature, cool_down)
    options = BenchmarkOptions(
        warmup=warmup, seconds=seconds, use_library=not no_library, profile=profile
    )
    out = Output(json_file)
    if not several and source is None and device is None and not dry_run:
        # Without PyTorch, which takes longer to load than this takes to measure.
        options = replace(options, threads=thread_counts[0], batch=batches[0])
        return _bench_here(out, onnx_file, options, care)
    devices = ["local"] if device is None else parse_devices(device)
    files = ExitStack()
    with out.progress() as progress:
        progress("loading PyTorch")
        import bdnet_export
        from bdnet_devices import open_device
        from bdnet_export.contestants import needs_lite
        from bdnet_export.device_bench import ParityQuestion, bench_on_device, plan_on_device
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
                bdnet_export.SpeedQuestion(
                    onnx_file,
                    names,
                    settings=[bdnet_export.Setting(t, b) for b in batches for t in thread_counts],
                    options=options,
                    rounds=ROUNDS if rounds is None else rounds,
                    images=images,
                    twins_folder=keep_twins,
                ),
                progress,
            )
        )

    def plan_one(name: str, tell: "StageProgress") -> list[str]:
        lines: list[str] = []
        note = lines.append
        with open_device(name, inventory, wheel=wheel, progress=tell, dry_run=note) as opened:
            plan_on_device(opened, prepared, care, question, note)
        return lines

    def bench_one(name: str, tell: "StageProgress") -> "DeviceBench":
        with open_device(name, inventory, wheel=wheel, progress=tell) as opened:
            return bench_on_device(opened, prepared, care, question, tell, typed_command())

    with files:
        if dry_run:
            return show_plans(out, side_by_side(out, devices, plan_one))
        outcomes = side_by_side(out, devices, bench_one)
    return show_outcomes(out, onnx_file, outcomes)


def _bench_here(out: Output, onnx_file: Path, options: "BenchmarkOptions", care: "Care") -> int:
    """One file on this machine, without PyTorch. Returns the exit status."""
    from bdnet_devices import LocalDevice
    from bdnet_devices.bench_result import bench_result, run_entry
    from bdnet_devices.care import watched

    local = LocalDevice()
    with out.progress() as progress, watched(local, care, progress) as conditions:
        benchmark = local.benchmark(onnx_file, options, progress)
    result = bench_result(
        *(local, onnx_file, [run_entry(benchmark)], conditions.report), command=typed_command()
    )
    show_one(out, result)
    out.json(result)
    return 0
