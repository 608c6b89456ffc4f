"""The report: every value is there, what must not be overlooked is marked, nothing is fetched."""

from __future__ import annotations

import copy
import csv
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from bdnet_devices.report import WRITERS, load_results
from bdnet_runtime import InputError
from support import plain_models
from support.tools import unavailable

Json = dict[str, Any]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Json:
    """A real result of a small model beside itself."""
    folder = tmp_path_factory.mktemp("measured")
    plain_models.write(plain_models.conv_relu(), folder / "plain.onnx")
    command = [sys.executable, "-m", "bdnet_export.cli.main", "bench", "plain.onnx"]
    options = ["--no-library", "--against", "plain.onnx", "--rounds", "2", "--seconds", "0.2"]
    done = subprocess.run(
        [*command, *options, "--json", "-"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    result: Json = json.loads(done.stdout)
    return result


def reading(seconds: float, celsius: float, megahertz: float, limits: list[str]) -> Json:
    return {
        "time": seconds,
        "temperature_c": celsius,
        "temperatures_c": {"cpu-thermal": celsius},
        "frequency_mhz": [megahertz, megahertz],
        "governor": "performance",
        "throttling": limits,
        "throttle_events": None,
        "power_mode": None,
        "power_mw": {},
    }


@pytest.fixture
def throttled(measured: Json) -> Json:
    """What a board too hot, with a clock that was set meanwhile, would have told."""
    result = copy.deepcopy(measured)
    result["device"] = {"name": "pi <5>", "address": "pi@board"}
    result["conditions"] |= {
        "before": reading(0, 48.5, 2400, []),
        "during": [reading(1, 85.25, 1500, ["throttled"])],
        "after": reading(2, 84, 1500, ["throttled"]),
        "throttled": ["throttled"],
        "clock": {"jump_ms": -3250.0, "jumped": True},
    }
    return result


def write(folder: Path, **results: Json) -> list[Path]:
    for name, content in results.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return [folder]


class Page(HTMLParser):
    """Collects the text and every address that a browser would follow or fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attributes:
            if name in ("src", "href", "xlink:href", "srcset", "action", "data"):
                self.addresses.append(value or "")
            if name == "id":
                self.ids.append(value or "")

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page_has_every_value_and_fetches_nothing(
    measured: Json, throttled: Json, tmp_path: Path
) -> None:
    text = WRITERS["html"](load_results(write(tmp_path, a=measured, b=throttled)))
    page = Page(text)
    words = " ".join(page.words)
    for run in measured["runs"]:
        for value in run["benchmark"]["latency_ms"].values():
            assert value > 0
        for name in ("p50", "p90", "p99"):
            assert f"{run['benchmark']['latency_ms'][name]:.3f}" in words
    assert measured["runs"][0]["benchmark"]["model"]["sha256"] in words
    assert "pi <5>" in words, "a name is text and never markup"
    for mark in ("throttled", "clock jumped", "-3,250 ms", "85.2 °C", "frequency, MHz"):
        assert mark in words
    assert all(address.startswith("#") for address in page.addresses)
    assert not page.tags & {"script", "link", "iframe", "img", "object", "embed"}
    assert not re.search(r"@import|url\((?!#)", text)
    assert len(set(page.ids)) == len(page.ids)
    assert page.tags >= {"svg", "table", "figure"}


@pytest.mark.parametrize("format_", list(WRITERS))
def test_the_same_results_give_the_same_bytes(
    measured: Json, throttled: Json, tmp_path: Path, format_: str
) -> None:
    results = load_results(write(tmp_path, a=measured, b=throttled))
    assert WRITERS[format_](results) == WRITERS[format_](results)


@pytest.mark.parametrize("format_", list(WRITERS))
def test_times_of_an_emulated_device_are_nowhere(
    measured: Json, tmp_path: Path, format_: str
) -> None:
    result = {**copy.deepcopy(measured), "emulated": True}
    for run in result["runs"]:
        run["benchmark"]["latency_ms"] = dict.fromkeys(run["benchmark"]["latency_ms"], 7654.321)
    text = WRITERS[format_](load_results(write(tmp_path, a=result)))
    assert "emulated" in text
    assert "7654" not in text
    assert "<svg" not in text


def test_csv_has_a_line_for_each_run_with_plain_numbers(throttled: Json, tmp_path: Path) -> None:
    text = WRITERS["csv"](load_results(write(tmp_path, a=throttled)))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(throttled["runs"])
    for row, run in zip(rows, throttled["runs"], strict=True):
        assert float(row["p99_ms"]) == run["benchmark"]["latency_ms"]["p99"]
        assert int(row["samples"]) == len(run["benchmark"]["samples_ms"])
        assert (row["throttled"], row["device"]) == ("throttled", "pi <5>")
    assert float(rows[1]["ratio_median"]) == throttled["runs"][1]["ratio"]["median"]


def test_markdown_has_a_row_for_each_run_and_its_marks(throttled: Json, tmp_path: Path) -> None:
    lines = WRITERS["md"](load_results(write(tmp_path, a=throttled))).splitlines()
    rows = [line for line in lines if line.startswith("| plain.onnx")]
    assert len(rows) == len(throttled["runs"])
    assert all("throttled, clock jumped" in row for row in rows)
    assert len({line.count(" | ") for line in [lines[0], *rows]}) == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "is not JSON"),
        ("[]", "is no result of a benchmark"),
        ('{"schema": 1, "passed": true}', "is no result of a benchmark"),
        ('{"schema": 1, "runs": []}', "is a result of schema 1, which an older bdnet wrote"),
        ('{"schema": 3, "kind": "bench"}', "is a result of schema 3; expected schema 2"),
        ('{"schema": 2, "kind": "bench", "runs": []}', "is not a whole result"),
    ],
)
def test_what_is_no_result_is_refused_by_name(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "it.json").write_text(content)
    with pytest.raises(InputError, match=rf"it\.json {says}.*bdnet"):
        load_results([tmp_path])


def test_one_file_may_hold_the_results_of_several_devices(measured: Json, tmp_path: Path) -> None:
    both = {"schema": 2, "kind": "benches", "of": [measured, measured]}
    assert len(load_results(write(tmp_path, both=both))) == 2


def test_the_command_stands_beside_its_numbers(
    measured: Json, throttled: Json, tmp_path: Path
) -> None:
    assert measured["command"][:3] == ["bdnet-export", "bench", "plain.onnx"]
    odd = {**measured, "command": ["bdnet-export", "bench", "a `b` | <c>.onnx"]}
    del throttled["command"]  # as results had none at first
    results = load_results(write(tmp_path, a=measured, b=odd, c=throttled))
    first, second = shlex.join(measured["command"]), shlex.join(odd["command"])
    words = " ".join(Page(WRITERS["html"](results)).words)
    assert first in words
    assert second in words
    text = WRITERS["md"](results)
    assert f"measured by `{first}`\n" in text
    assert f"measured by `` {second} ``\n" in text
    rows = list(csv.DictReader(io.StringIO(WRITERS["csv"](results))))
    assert {row["command"] for row in rows} == {first, second, ""}


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no \.json file"):
        load_results([tmp_path])


def test_a_browser_shows_the_page(measured: Json, throttled: Json, tmp_path: Path) -> None:
    import numpy as np
    from PIL import Image

    chromium = shutil.which("chromium")
    if chromium is None:
        unavailable("chromium is not installed; install the Debian package chromium")
    page = tmp_path / "report.html"
    page.write_text(WRITERS["html"](load_results(write(tmp_path, a=measured, b=throttled))))
    subprocess.run(
        [
            *(chromium, "--headless", "--no-sandbox", "--disable-gpu"),
            *(f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1200,2000"),
            *(f"--screenshot={tmp_path / 'page.png'}", page.as_uri()),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    pixels = np.asarray(Image.open(tmp_path / "page.png").convert("RGB"))
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 100
    bands = np.array_split(pixels, 10)
    assert sum(band.std() > 5 for band in bands) >= 6, "most of the page is blank"
