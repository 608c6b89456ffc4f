"""bdnet-export as a user runs it: words, files, exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from bdnet_export.cli.output import megabytes
from bdnet_export.per_image import nodes
from support import plain_models
from support.altered_files import change_constant
from support.import_blocker import run_without
from support.result_schemas import load_valid
from support.tools import unavailable

COMMAND = [sys.executable, "-m", "bdnet_export.cli.main"]
COMMANDS = ("export", "validate", "bench", "run", "inspect", "report", "demo")

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs the command in an empty folder of its own."""
    return lambda *arguments: run_in(tmp_path, *arguments)


def run_in(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return plain_models.write(plain_models.conv_relu(), tmp_path / "plain.onnx")


@dataclass(frozen=True)
class Exported:
    """A folder with a user's own module, ``mine``, and what was exported from it."""

    folder: Path
    onnx: Path
    finished: subprocess.CompletedProcess[str]


MODULE = """
from support.networks import tiny_network

print("words of a user's own module")

def first():
    return tiny_network(seed=1)

def second():
    return tiny_network(seed=2)
"""
SHAPE = "2,11,9"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    from bdnet_runtime import InputError, get_library_path

    try:
        get_library_path()
    except InputError as error:
        unavailable(str(error))
    folder = tmp_path_factory.mktemp("exported")
    # What the module imports is found from its own folder, as a user's would be.
    tests = Path(__file__).parent
    (folder / "mine.py").write_text(f"import sys\nsys.path.append({str(tests)!r})\n{MODULE}")
    finished = run_in(
        *(folder, "export", "mine:first", "-o", "first.onnx"),
        *("--input-shape", SHAPE, "--explain", "--json", "-"),
    )
    assert finished.returncode == 0, finished.stderr
    return Exported(folder, folder / "first.onnx", finished)


# Help and usage.


def test_help_names_every_command(run: Run) -> None:
    finished = run("--help")
    assert finished.returncode == 0
    for command in COMMANDS:
        assert f" {command} " in finished.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_has_examples(run: Run, command: str) -> None:
    finished = run(command, "--help")
    assert finished.returncode == 0
    assert "For example:" in finished.stdout
    assert f"bdnet-export {command}" in finished.stdout.split("For example:")[1]


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["validate", "--help"]])
def test_help_needs_no_heavy_package(arguments: list[str]) -> None:
    code = "from bdnet_export.cli.main import main\nsys.exit(main())"
    heavy = ("torch", "onnx", "onnxscript", "bdnet")
    finished = run_without(heavy, code, *arguments)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout


def test_no_command_shows_the_help(run: Run) -> None:
    finished = run()
    assert finished.returncode == 2
    assert "Usage: bdnet-export" in finished.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["exprt"], "Did you mean 'export'"),
        (["bench", "plain.onnx", "--therads", 2], "--threads"),
        (["export", "fashion-mnist"], "Missing option '--output'"),
        (["export", "m.safetensors", "-o", "out.txt"], "'out.txt' does not end in .onnx"),
        (["export", "m.safetensors", "-o", "no/out.onnx"], "there is no folder 'no'"),
        (
            ["export", "m.safetensors", "-o", "out.onnx", "--input-shape", "3x224"],
            "'3x224' is not a shape; expected C,H,W, for example 3,224,224",
        ),
        (
            ["export", "m.safetensors", "-o", "out.onnx", "--input-shape", "3,0,224"],
            "'3,0,224' is not a shape",
        ),
        (
            ["export", "m.safetensors", "-o", "out.onnx", "--batch", "many"],
            "'many' is not a batch; expected 'dynamic' or a number from 1 to 65536",
        ),
        (
            ["export", "m.safetensors", "-o", "out.onnx", "--batch", 10**20],
            f"'{10**20}' is not a batch; expected 'dynamic' or a number from 1 to 65536",
        ),
        (
            ["export", "m.safetensors", "-o", "out.onnx", "--input-shape", f"3,{10**20},4"],
            f"'3,{10**20},4' is not a shape",
        ),
        (["export", "m.safetensors", "-o", "out.onnx", "--json", "."], "'.' is a folder"),
        (["export", "m.safetensors", "-o", "out.onnx"], "no checkpoint file m.safetensors"),
        (["export", "fashon-mnist", "-o", "out.onnx"], "fashion-mnist"),
        (["export", "nowhere:model", "-o", "out.onnx"], "module 'nowhere' cannot be imported"),
        (["validate", "absent.onnx", "fashion-mnist"], "there is no file 'absent.onnx'"),
        (["validate", "m.safetensors", "plain.onnx"], "'m.safetensors' does not end in .onnx"),
        (
            ["validate", "plain.onnx", "m.safetensors", "--images", "a.png", "--random", 3],
            "'--images': it cannot be given together with '--random'",
        ),
        (["validate", "plain.onnx", "m.safetensors", "--random", 0], "'--random'"),
        (["validate", "plain.onnx", "m.safetensors", "--junit", "no/j.xml"], "no folder 'no'"),
        (["bench", "absent.onnx"], "there is no file 'absent.onnx'"),
        (["bench", "plain.onnx", "--threads", 0], "threads is 0; expected 1 to 1024"),
        (["bench", "plain.onnx", "--threads", 20000], "threads is 20000; expected 1 to 1024"),
        (["bench", "plain.onnx", "--no-library", "--seconds", "nan"], "seconds is nan"),
        (["bench", "junk.onnx", "--no-library"], "junk.onnx is not a model"),
        (["bench", "plain.onnx", "--threads", "two"], "'two' is not a number, nor several"),
        (["bench", "plain.onnx", "--threads", "1,0"], "threads is 0; expected 1 to 1024"),
        (["bench", "plain.onnx", "--batch", "1,0"], "batch is 0; expected 1 to 65536 images"),
        (
            ["bench", "plain.onnx", "--against", "fp23"],
            "'fp23' is nothing to compare with; did you mean 'fp32'? it may be 'fp32', 'int8', ",
        ),
        (["bench", "plain.onnx", "--against", "a.onnx"], "there is no file a.onnx to compare"),
        (["bench", "plain.onnx", "--against", "int8"], "plain.onnx has no bdnet metadata"),
        (
            ["bench", "plain.onnx", "--against", "plain.onnx", "--rounds", 1],
            "rounds is 1; expected 2 or more",
        ),
        (
            ["bench", "plain.onnx", "--no-library", "--against", "junk.onnx"],
            "junk.onnx, threads 1: junk.onnx is not a model",
        ),
        (["bench", "plain.onnx", "--rounds", 3], "'--rounds': there is nothing else to take turns"),
        (["bench", "plain.onnx", "--images", "."], "'--images': they are for '--against int8'"),
        (["bench", "plain.onnx", "--keep-twins", "t"], "'--keep-twins': '--against' names no twin"),
        (
            ["bench", "plain.onnx", "--against", "fp32", "--keep-twins", "plain.onnx"],
            "the folder plain.onnx cannot be made: File exists",
        ),
        (["bench", "plain.onnx", "--profile", "--threads", "1,2"], "'--profile': it shows one"),
        (["report", "junk.onnx", "-o", "r.html"], "junk.onnx is not JSON; measure again with"),
        (["report", "no.json", "-o", "r.html"], "the result no.json cannot be read: No such file"),
        (["report", ".", "-o", "r", "--format", "pdf"], "'pdf' is no format; expected html, md"),
        (["inspect", "absent.onnx"], "there is no file 'absent.onnx'"),
        (["inspect", "junk.onnx"], "junk.onnx is not an ONNX model"),
        (["inspect", "plain.onnx"], "no bdnet metadata"),
        (["demo", "--output", "junk.onnx"], "'junk.onnx' cannot be made"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_bad_input_is_one_sentence_and_status_2(
    run: Run, plain: Path, arguments: list[object], says: str
) -> None:
    (plain.parent / "junk.onnx").write_bytes(b"not a model")
    finished = run(*arguments)
    assert finished.returncode == 2
    assert finished.stdout == ""
    # Stages may be told before; the error is the last line, and one line.
    sentence = finished.stderr.splitlines()[-1]
    assert sentence.startswith("bdnet-export: ")
    assert says in sentence
    assert "Traceback" not in finished.stderr
    assert not (plain.parent / "out.onnx").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_said_before_the_work(run: Run, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    finished = run("export", "m.safetensors", "-o", closed / "out.onnx")
    assert finished.returncode == 2
    assert "may not be written by this user" in finished.stderr


def test_debug_adds_the_traceback(run: Run) -> None:
    arguments = ("export", "m.safetensors", "-o", "out.onnx")
    plainly, debugging = run(*arguments), run("--debug", *arguments)
    assert "Traceback" not in plainly.stderr
    assert "Traceback" in debugging.stderr
    assert plainly.returncode == debugging.returncode == 2
    assert plainly.stderr.splitlines()[-1] == debugging.stderr.splitlines()[-1]


# Ends that are nobody's mistake.


@pytest.mark.parametrize(
    ("more", "stage"),
    [([], "measuring"), (["--against", "plain.onnx"], "measuring 2 in turn")],
    ids=["one", "in turn"],
)
def test_an_interruption_is_a_sentence_and_leaves_no_process(
    plain: Path, more: list[str], stage: str
) -> None:
    with subprocess.Popen(
        [*COMMAND, "bench", str(plain), "--no-library", "--seconds", "600", *more],
        cwd=plain.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        while process.stderr.readline().strip() != stage:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        # The pipe ends when the last process that holds it does: the benchmark's is gone as well.
        started = time.monotonic()
        assert process.stderr.read() == "bdnet-export: interrupted; what it had started was ended\n"
        assert time.monotonic() - started < 10


def test_a_reader_that_leaves_early_is_no_failure(plain: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "bench", str(plain), "--no-library", "--seconds", "0.1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        words = process.stderr.read()
        assert process.wait(timeout=60) == 141
    assert "Traceback" not in words
    assert "Exception" not in words


# The commands on plain models: what surrounds the network.


def test_bench_shows_percentiles_and_writes_every_sample(run: Run, tmp_path: Path) -> None:
    model = plain_models.write(plain_models.conv_relu(), tmp_path / "my [bold] model.onnx")
    finished = run("bench", model, "--no-library", "--seconds", 0.2, "--json", "result.json")
    assert finished.returncode == 0, finished.stderr
    result = load_valid("bench", (tmp_path / "result.json").read_text())
    assert (result["schema"], result["kind"]) == (2, "bench")
    assert len(result["runs"][0]["benchmark"]["samples_ms"]) >= 10
    assert result["conditions"]["before"]["time"] < result["conditions"]["after"]["time"]
    assert str(model) in finished.stdout.splitlines()[-1]
    for word in ("p50", "p90", "p99", "peak memory", "standard operators", " MB"):
        assert word in finished.stdout
    assert " kB" in finished.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("count", "shown"),
    [(400, "400 bytes"), (4_000, "4.0 kB"), (40_000, "0.04 MB"), (4_000_000, "4.00 MB")],
)
def test_a_small_size_is_not_a_row_of_zeros(count: int, shown: str) -> None:
    assert megabytes(count) == shown


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_sentence(run: Run, plain: Path) -> None:
    finished = run("bench", plain, "--no-library", "--seconds", 0.1, "--json", "/dev/full")
    assert finished.returncode == 2
    sentence = finished.stderr.splitlines()[-1]
    assert "'--json': '/dev/full' cannot be written: No space left on device" in sentence
    assert "OSError" not in sentence


def test_json_on_standard_output_is_alone_there(run: Run, plain: Path) -> None:
    finished = run("bench", plain, "--no-library", "--seconds", 0.1, "--json", "-")
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout)["schema"] == 2
    assert "p50" in finished.stderr


# The commands on an exported network.


def test_export_tells_size_and_seconds(exported: Exported) -> None:
    result = load_valid("export", exported.finished.stdout)
    assert result["bytes"] == exported.onnx.stat().st_size
    assert result["input_shape"] == [2, 11, 9]
    assert result["custom_nodes"] == result["fused_nodes"] == 3
    assert (result["batch"], result["opset"], result["fallback"]) == ("dynamic", 18, True)
    *told, line = exported.finished.stderr.splitlines()
    assert line.startswith("Exported mine:first to first.onnx in ")
    assert " MB" in line
    assert " s: " in line
    # --explain: the same rows as in the JSON.
    fused = {row["layer"]: row["fused_into"] for row in result["layers"]}
    assert fused["stem"] == "stem/OrderedStem"
    for row in result["layers"]:
        shown = [row["layer"], *row["operators"], row["fused_into"] or row["reason"]]
        assert any(all(text in line for text in shown) for line in told), row


def test_export_asks_for_a_shape_that_nobody_knows(exported: Exported) -> None:
    finished = run_in(exported.folder, "export", "mine:first", "-o", "other.onnx")
    assert finished.returncode == 2
    assert "'mine:first' does not say the shape of its images" in finished.stderr


def test_validate_passes_on_the_network_itself(exported: Exported) -> None:
    finished = run_in(
        *(exported.folder, "validate", "first.onnx", "mine:first", "--random", 3, "--layers"),
        *("--json", "report.json", "--junit", "report.xml"),
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "words of a user's own module" not in finished.stdout
    assert finished.stdout.splitlines()[-1].startswith("first.onnx (0.0")
    assert " MB) is mine:first: 0 of " in finished.stdout.splitlines()[-1]
    report = load_valid("validate", (exported.folder / "report.json").read_text())
    assert report["passed"] is True
    assert (report["images"], report["values_different"]) == (3, 0)
    for layer in report["layers"][0]["layers"]:
        (row,) = (r for r in finished.stdout.splitlines() if r.strip().startswith(layer["name"]))
        assert row.split()[1:] == [f"{layer['values']:,}", "equal", "equal"]
    suite = ElementTree.parse(exported.folder / "report.xml").getroot()
    assert suite.get("failures") == "0"
    assert [case.get("name") for case in suite] == [check["name"] for check in report["checks"]]


def test_validate_tells_which_device_failed_and_what_the_others_found(exported: Exported) -> None:
    inventory = exported.folder / "lab.toml"
    inventory.write_text('[devices.gone]\nhost = "127.0.0.1"\nport = 1\n')
    finished = run_in(
        *(exported.folder, "validate", "first.onnx", "mine:first", "--random", 2),
        *("--device", "gone,local", "--inventory", inventory, "--json", "devices.json"),
    )
    assert finished.returncode == 2, finished.stdout + finished.stderr
    assert "features equal on local" in finished.stdout
    report = load_valid("validate", (exported.folder / "devices.json").read_text())
    (sentence,) = report["device_errors"].values()
    assert sentence.startswith("gone: 127.0.0.1 is there but refuses connections")
    assert sentence in finished.stdout
    assert report["passed"] is False


def test_validate_fails_on_another_network(exported: Exported) -> None:
    finished = run_in(
        *(exported.folder, "validate", "first.onnx", "mine:second", "--random", 2),
        *("--json", "-", "--junit", "other.xml"),
    )
    assert finished.returncode == 1, finished.stderr
    report = load_valid("validate", finished.stdout)
    failed = [check["name"] for check in report["checks"] if not check["passed"]]
    assert failed
    assert ") is not mine:second" in finished.stderr.splitlines()[-1]
    suite = ElementTree.parse(exported.folder / "other.xml").getroot()
    assert suite.get("failures") == str(len(failed))
    found = [case.get("name") for case in suite if case.find("failure") is not None]
    assert found == failed
    assert all(failure.get("message") for failure in suite.iter("failure"))


def test_validate_names_the_layer_of_a_flipped_weight_bit(exported: Exported) -> None:
    def flip(weight: np.ndarray) -> None:
        weight.reshape(-1)[0] ^= 1  # the first bit of the first filter: never a tail bit

    layer = "body.1.pointwise"
    change_constant(exported.onnx, exported.folder / "flipped.onnx", f"{layer}.conv.weight", flip)
    finished = run_in(
        *(exported.folder, "validate", "flipped.onnx", "mine:first", "--random", 4),
        *("--json", "flipped.json", "--junit", "flipped.xml"),
    )
    assert finished.returncode == 1, finished.stderr
    assert finished.stdout.splitlines()[-1].endswith("first in body.1")
    report = load_valid("validate", (exported.folder / "flipped.json").read_text())
    assert (report["passed"], report["first_difference"]) == (False, "body.1")
    verdicts = {check["name"]: check["passed"] for check in report["checks"]}
    assert verdicts["file unchanged since export"], "the digest was mended"
    assert not verdicts["features equal with the library"]
    assert not verdicts["features equal without the library"]
    cases = ElementTree.parse(exported.folder / "flipped.xml").getroot()
    told = [failure.get("message", "") for failure in cases.iter("failure")]
    assert any(message.startswith("body.1: ") for message in told)


@pytest.fixture(scope="module")
def resized(exported: Exported) -> Exported:
    """A checkpoint that names one size of images, and its export for another."""
    import bdnet

    bdnet.save(
        bdnet.BDMobileNetV1(width=0.25, num_classes=3, in_channels=1, stem_stride=1),
        exported.folder / "m.safetensors",
        input_shape=(1, 9, 9),
    )
    finished = run_in(
        *(exported.folder, "export", "m.safetensors", "-o", "resized.onnx"),
        *("--input-shape", "1,12,10"),
    )
    assert finished.returncode == 0, finished.stderr
    return Exported(exported.folder, exported.folder / "resized.onnx", finished)


@pytest.mark.parametrize(
    "images", [["--random", 2], ["--images", "photos"]], ids=lambda value: value[0]
)
def test_validate_takes_the_size_of_images_from_the_file(
    resized: Exported, images: list[object]
) -> None:
    from PIL import Image

    (resized.folder / "photos").mkdir(exist_ok=True)
    for shade in (40, 200):
        Image.new("RGB", (21, 17), (shade, 90, 7)).save(resized.folder / f"photos/{shade}.png")
    finished = run_in(resized.folder, "validate", "resized.onnx", "m.safetensors", *images)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert " values differ on 2 " in finished.stdout.splitlines()[-1]


def test_validate_says_that_held_out_images_do_not_fit(resized: Exported) -> None:
    shipped = ("fashion-mnist", "-o", "shipped.onnx", "--input-shape", "1,9,9")
    assert run_in(resized.folder, "export", *shipped).returncode == 0
    finished = run_in(resized.folder, "validate", "shipped.onnx", "fashion-mnist")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "Note: the file reads images of 1 x 9 x 9, the held-out images are 1 x 28 x 28: " in (
        finished.stdout
    )
    assert "32 random images" in finished.stdout


def test_validate_refuses_a_file_of_others(exported: Exported) -> None:
    shape = ("N", 3, "H", "W")
    plain_models.write(plain_models.conv_relu(shape), exported.folder / "open.onnx")
    finished = run_in(exported.folder, "validate", "open.onnx", "mine:first")
    assert finished.returncode == 2
    sentence = finished.stderr.splitlines()[-1]
    assert "open.onnx has no bdnet metadata" in sentence


def test_validate_says_that_its_images_are_noise(exported: Exported) -> None:
    finished = run_in(exported.folder, "validate", "first.onnx", "mine:first")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "32 random images" in finished.stdout


def test_inspect_shows_every_layer(exported: Exported) -> None:
    finished = run_in(exported.folder, "inspect", "first.onnx", "--json", "layers.json")
    assert finished.returncode == 0, finished.stderr
    layers = load_valid("inspect", (exported.folder / "layers.json").read_text())["layers"]
    assert layers
    for layer in layers:
        assert layer["name"] in finished.stdout
    line = finished.stdout.splitlines()[-1]
    assert line.startswith("Read first.onnx in ")
    assert " s: " in line
    assert " MB" in line
    assert "ai.bdnet.SeparableBlock" in finished.stdout


def test_bench_runs_with_the_library_and_without(exported: Exported) -> None:
    for more, expected in ([], "bdnet kernels"), (["--no-library"], "standard operators"):
        finished = run_in(exported.folder, "bench", "first.onnx", "--seconds", 0.1, *more)
        assert finished.returncode == 0, finished.stderr
        assert expected in finished.stdout


def test_bench_against_measures_twins_kernels_and_files_in_turn(resized: Exported) -> None:
    folder = resized.folder
    names = ["fp32", "int8", "reference", "no-library", "first.onnx"]
    finished = run_in(
        *(folder, "bench", "resized.onnx", "--against", ",".join(names), "--threads", "1,2"),
        *("--rounds", 3, "--seconds", 0.3, "--warmup", 0),
        *("--json", "against.json", "--keep-twins", "twins"),
    )
    assert finished.returncode == 0, finished.stderr
    result = load_valid("bench", (folder / "against.json").read_text())
    assert (result["schema"], result["rounds"]) == (2, 3)
    assert result["calibration"] == "8 random images (seed 0)"
    assert "int8 is calibrated on 8 random images (seed 0)" in finished.stdout
    assert {file.name for file in (folder / "twins").iterdir()} == {
        "resized.fp32.onnx",
        "resized.int8.onnx",
    }
    runs = {(run["name"], run["threads"]): run for run in result["runs"]}
    assert list(runs) == [(name, threads) for name in ["model", *names] for threads in (1, 2)]

    def medians(name: str, threads: int) -> np.ndarray:
        benchmark = runs[name, threads]["benchmark"]
        assert len(benchmark["turns"]) == 3
        ends = np.cumsum(benchmark["turns"])
        assert ends[-1] == len(benchmark["samples_ms"])
        return np.array([np.median(part) for part in np.split(benchmark["samples_ms"], ends[:-1])])

    def require(ratio: dict[str, object], expected: np.ndarray) -> None:
        assert ratio["rounds"] == pytest.approx(expected)
        assert ratio["median"] == pytest.approx(np.median(expected))
        assert (ratio["lowest"], ratio["highest"]) == (expected.min(), expected.max())

    for (name, threads), run in runs.items():
        assert run["benchmark"]["threads"] == threads
        require(run["ratio"], medians(name, threads) / medians("model", threads))
        if threads == 1:
            assert run["thread_scaling"] is None
        else:
            scaling = medians(name, 1) / medians(name, 2)
            require(run["thread_scaling"], scaling)
            require(run["scaling_over_fp32"], scaling / (medians("fp32", 1) / medians("fp32", 2)))
        assert run["batch_scaling"] is None
        if run["memory_over_fp32"] is not None:
            added = [
                one["benchmark"]["memory"]["model_bytes"] for one in (run, runs["fp32", threads])
            ]
            assert run["memory_over_fp32"] == pytest.approx(added[0] / added[1])
    used = {name: runs[name, 1]["benchmark"] for name in ["model", *names]}
    assert used["reference"]["isa"] == "reference"
    assert [name for name in used if not used[name]["use_library"]] == [
        "fp32",
        "int8",
        "no-library",
    ]
    assert used["no-library"]["model"] == used["reference"]["model"] == used["model"]["model"]
    for name in names:
        assert f" {name} " in finished.stdout


def test_bench_compares_batches_and_calibrates_on_images(resized: Exported) -> None:
    from PIL import Image

    (resized.folder / "pictures").mkdir()
    Image.new("RGB", (21, 17), (40, 90, 7)).save(resized.folder / "pictures/one.png")
    finished = run_in(
        *(resized.folder, "bench", "resized.onnx", "--against", "int8", "--batch", "1,3"),
        *("--images", "pictures", "--rounds", 2, "--seconds", 0.1, "--json", "-"),
    )
    assert finished.returncode == 0, finished.stderr
    result = load_valid("bench", finished.stdout)
    assert result["calibration"] == "1 images of pictures"
    runs = {(run["name"], run["batch"]): run for run in result["runs"]}
    assert list(runs) == [("model", 1), ("model", 3), ("int8", 1), ("int8", 3)]
    for name in ("model", "int8"):
        images = [runs[name, batch]["benchmark"]["images_per_second"] for batch in (1, 3)]
        assert min(images) > 0
        assert runs[name, 1]["batch_scaling"] is None
        assert len(runs[name, 3]["batch_scaling"]["rounds"]) == 2
        assert runs[name, 3]["benchmark"]["input"]["shape"] == [3, 1, 12, 10]
    assert "by batch" in finished.stderr


def test_bench_verifies_the_file_before_it_measures_it(resized: Exported) -> None:
    options = ("bench", "resized.onnx", "--seconds", 0.1, "--source")
    finished = run_in(resized.folder, *options, "m.safetensors", "--json", "verified.json")
    assert finished.returncode == 0, finished.stderr
    assert "Equal to PyTorch on the workstation: 0 of " in finished.stdout
    parity = load_valid("bench", (resized.folder / "verified.json").read_text())["parity"]
    assert (parity["passed"], parity["different"], parity["images"]) == (True, 0, 4)
    assert parity["values"] > 0


def test_bench_says_which_network_has_no_twin(exported: Exported) -> None:
    finished = run_in(exported.folder, "bench", "first.onnx", "--against", "fp32")
    assert finished.returncode == 2
    assert "first.onnx holds a BDNet, which has no float twin" in finished.stderr.splitlines()[-1]


def test_bench_profile_shows_the_files_own_nodes(exported: Exported) -> None:
    from bdnet_export.model_file import load_model

    finished = run_in(
        *(exported.folder, "bench", "first.onnx", "--profile", "--seconds", 0.2),
        *("--json", "profile.json"),
    )
    assert finished.returncode == 0, finished.stderr
    result = load_valid("bench", (exported.folder / "profile.json").read_text())
    profile = result["runs"][0]["benchmark"]["profile"]
    names = {layer["name"]: layer["operator"] for layer in profile["layers"]}
    custom = {n.name: n.op_type for n in nodes(load_model(exported.onnx)) if n.domain}
    assert custom
    assert custom.items() <= names.items()
    assert profile["total_ms"] == pytest.approx(
        sum(layer["ms"] for layer in profile["layers"]) + profile["between_ms"]
    )
    for shown in (*custom, *custom.values(), "between the nodes", "total"):
        assert f" {shown} " in finished.stdout
