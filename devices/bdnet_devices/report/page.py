"""The report as one HTML page that needs nothing besides itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from bdnet_devices.report import latency_figures
from bdnet_devices.report.condition_figure import conditions
from bdnet_devices.report.parity import verdict
from bdnet_devices.report.ratio_figure import ratios
from bdnet_devices.report.results import Layer, Result, Run
from bdnet_devices.report.tables import markers, milliseconds, summary

TEMPLATE = Path(__file__).with_name("page.html")


@dataclass(frozen=True)
class Figure:
    """A drawing, and what stands below it."""

    svg: str
    caption: str


@dataclass(frozen=True)
class Share:
    """A bar of the time by layer or by operator: of ``width`` per cent of the longest one."""

    name: str
    operator: str
    ms: str
    share: str
    width: str


def write_html(results: Sequence[Result]) -> str:
    """The page; the same results give the same bytes with the same matplotlib."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    columns = summary(results)
    sections = [_section(result, number) for number, result in enumerate(results)]
    ratio_figure = ratios(results, "ratios")
    return template.render(
        title=_title(results),
        headings=list(columns),
        rows=[
            list(zip(*(c[n] for c in columns.values()), strict=True)) for n in range(len(results))
        ],
        ratios=ratio_figure,
        sections=sections,
        bdnet=sorted({run.versions["bdnet"] for result in results for run in result.runs}),
    )


def _title(results: Sequence[Result]) -> str:
    models = list(dict.fromkeys(result.model_name for result in results))
    devices = list(dict.fromkeys(result.device for result in results))
    return f"{_listed(models, 'models')} on {_listed(devices, 'devices')}"


def _listed(names: Sequence[str], kind: str) -> str:
    if len(names) > 3:
        return f"{len(names)} {kind}"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _section(result: Result, number: int) -> dict[str, object]:
    """What the template shows of one result."""
    return {
        "id": f"result-{number}",
        "result": result,
        "verdict": verdict(result.parity),
        "markers": markers(result),
        "figures": _figures(result, number),
        "layers": [] if result.emulated else _layers(result),
        "facts": _facts(result),
        "host": _host(result.runs[0]),
    }


def _figures(result: Result, number: int) -> list[Figure]:
    """Nothing of an emulated device is drawn."""
    if result.emulated:
        return []
    figures = []
    for place, setting in enumerate(latency_figures.settings(result)):
        words = latency_figures.setting_words(*setting)
        name = f"{number}-{place}"
        figures += [
            Figure(
                latency_figures.distribution(result, setting, f"distribution-{name}"),
                f"{words}: all samples, none dropped; dots mark p50, p90 and p99.",
            ),
            Figure(
                latency_figures.over_time(result, setting, f"time-{name}"),
                f"{words}: samples as they came. Where there are many, a line is their median at "
                f"that time, the band holds 80 % of them, and dots are the slowest of each "
                f"{latency_figures.BINS}th. The dashed line is p50 of all.",
            ),
        ]
    drawn = conditions(result, f"conditions-{number}")
    if drawn is not None:
        caption = "The device over the run; where it said that it throttled is shaded."
        figures.append(Figure(drawn, caption))
    return figures


def _layers(result: Result) -> list[tuple[str, list[Share]]]:
    """Time by layer and by operator, of the run that has a profile."""
    profiled = next((run for run in result.runs if run.profiled), None)
    if profiled is None:
        return []
    sums: dict[str, list[Layer]] = defaultdict(list)
    for layer in profiled.layers:
        sums[layer.operator or layer.name].append(layer)
    operators = [
        Layer(name, "", sum(one.ms for one in several), sum(one.share for one in several))
        for name, several in sums.items()
    ]
    operators.sort(key=lambda layer: -layer.ms)
    return [("operator", _shares(operators)), ("layer", _shares(profiled.layers))]


def _shares(layers: Sequence[Layer]) -> list[Share]:
    longest = max(layer.ms for layer in layers) or 1.0
    return [
        Share(
            layer.name,
            layer.operator,
            f"{milliseconds(layer.ms)} ms",
            f"{layer.share:.1%}",
            f"{100 * layer.ms / longest:.1f}",
        )
        for layer in layers
    ]


def _facts(result: Result) -> dict[str, str]:
    """How it was measured; what is not known is left out."""
    first, conditions_ = result.runs[0], result.conditions
    engines = list(dict.fromkeys(run.engine for run in result.runs))
    governor = conditions_.governor or first.host.get("governor")
    hottest = conditions_.hottest_c
    facts = {
        "file": f"{first.file['name']}, {first.file['bytes']:,} bytes",
        "SHA-256": first.file["sha256"],
        "input": first.input,
        "measured": f"{first.started}, {result.rounds} round{'s' if result.rounds > 1 else ''}",
        "engines": ", ".join(engines),
        "versions": ", ".join(f"{name} {value}" for name, value in first.versions.items()),
        "int8 calibrated on": result.calibration,
        "governor": governor and governor + (" (set)" if conditions_.governor_set else ""),
        "hottest": None if hottest is None else f"{hottest:.1f} °C",
        "result": result.file,
    }
    return {name: str(value) for name, value in facts.items() if value}


def _host(run: Run) -> dict[str, str]:
    shown: dict[str, str] = {}
    for name, value in run.host.items():
        if value is None or name in ("governor", "emulated"):
            continue
        if name == "memory_bytes":
            shown["memory"] = f"{value / 1e9:.1f} GB"
        elif name == "frequency_mhz":
            shown["frequency at the end"] = f"{value:.0f} MHz"
        else:
            shown[name] = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return shown
