"""How bench shows what was measured."""

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.bar import Bar

from bdnet_export.cli.main import BAD_INPUT
from bdnet_export.cli.output import Output, megabytes, milliseconds, percentiles, table

if TYPE_CHECKING:
    from bdnet_devices import Ratio
    from bdnet_export.device_bench import DeviceBench

EMULATED = "emulated"  # in the place of a time that is no device's
BAR_WIDTH = 24
ENGINES = {
    "onnxruntime": "ONNX Runtime",
    "ai-edge-litert": "LiteRT",
    "tflite-runtime": "TensorFlow Lite",
}


def show_outcomes(
    out: Output, onnx_file: Path, outcomes: "dict[str, DeviceBench | Exception]"
) -> int:
    """Shows and writes what each device has found. Returns the exit status."""
    status = 0
    for name, outcome in outcomes.items():
        if len(outcomes) > 1:
            out.line(f"\n{name}", "bold")
        if isinstance(outcome, Exception):
            out.failure(str(outcome))
            status = BAD_INPUT
            continue
        if len(outcome.comparison.runs) > 1:
            show_comparison(out, onnx_file, outcome)
            show_care(out, outcome.result)
        else:
            show_one(out, outcome.result)
        if outcome.parity_failed and status == 0:
            status = 1
    found = [one.result for one in outcomes.values() if not isinstance(one, Exception)]
    if found:
        out.json(found[0] if len(outcomes) == 1 else {"schema": 2, "kind": "benches", "of": found})
    return status


def show_one(out: Output, result: dict[str, Any]) -> None:
    benchmark = result["runs"][0]["benchmark"]
    if benchmark["profile"] is not None and not result["emulated"]:
        _show_profile(out, benchmark["profile"])
    device = result["device"]
    where = "" if device["address"] is None else f" on {device['name']}"
    _show(out, benchmark, f"{result['model']}{where}", _mark(result))
    show_care(out, result)


def show_care(out: Output, result: dict[str, Any]) -> None:
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


def _mark(result: dict[str, Any]) -> str:
    """What stands behind a time that is not to be trusted."""
    conditions = result["conditions"]
    doubts = {"throttled": conditions["throttled"], "clock set": conditions["clock"]["jumped"]}
    marks = [name for name, doubt in doubts.items() if doubt]
    return f" ({', '.join(marks)})" if marks else ""


def runner(result: dict[str, Any]) -> str:
    """What ran the model."""
    return f"bdnet kernels ({result['isa']})" if result["use_library"] else "standard operators"


def engine(result: dict[str, Any]) -> str:
    """The program that ran the model, and its version."""
    name = result["engine"]["name"]
    return f"{ENGINES.get(name, name)} {result['engine']['version']}"


def _show(out: Output, result: dict[str, Any], measured_file: str, mark: str) -> None:
    latency, memory, host = result["latency_ms"], result["memory"], result["host"]
    times = {
        "load": milliseconds(result["load_ms"]),
        "first run": milliseconds(result["first_run_ms"]),
        **{name: milliseconds(value) + mark for name, value in latency.items()},
        "throughput": f"{result['images_per_second']:,.1f} images/s",
    }
    if host["emulated"]:
        times = {"times": EMULATED}
    rows = {
        "input": ", ".join(f"{i['shape']} {i['dtype']}" for i in result["inputs"]) + ", noise",
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
    shown_times = EMULATED if host["emulated"] else percentiles(latency) + mark
    lasted = "" if host["emulated"] else f" in {sum(result['samples_ms']) / 1000:.1f} s"
    out.success(
        f"Measured {measured_file} ({megabytes(result['model']['bytes'])}): {shown_times} over "
        f"{len(result['samples_ms'])} runs{lasted}"
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


def show_comparison(out: Output, onnx_file: Path, bench: "DeviceBench") -> None:
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
    mark = _mark(bench.result)
    columns["p50"] = [
        EMULATED if emulated else milliseconds(run.benchmark["latency_ms"]["p50"]) + mark
        for run in runs
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
