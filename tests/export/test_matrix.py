"""The file of a matrix: what it may say, and which cells come of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bdnet_export.matrix import cells_of, lanes_of, load_matrix
from bdnet_runtime import InputError

INVENTORY = """
[devices.pi5]
host = "pi@10.0.0.5"

[devices.pi5-old]
host = "pi@10.0.0.5"
packages = ["onnxruntime==1.21.0"]

[devices.orin]
host = "orin"
ssh_config = "lab_ssh_config"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With files that are no models: nothing here opens them."""
    for name in ("a.onnx", "b.onnx", "peer.onnx", "a.safetensors"):
        (tmp_path / name).write_text(name)
    (tmp_path / "lab.toml").write_text(INVENTORY)
    return tmp_path


def names(folder: Path, text: str, path: Path | None = None) -> list[str]:
    """The files' names of the cells of this bench.toml."""
    (folder / "bench.toml").write_text(text)
    return [cell.file.name for cell in cells_of(load_matrix(path or folder / "bench.toml"))]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("models = [", "is not TOML: "),
        ("", 'no models; expected a line like models = ["a.onnx"]'),
        ('model = ["a.onnx"]', "'model' is not known; did you mean 'models'?"),
        ("[bench]", "'bench' is not known; did you mean 'batch'?"),
        ('models = "a.onnx"', "models is 'a.onnx'; expected a list such as "),
        ("models = []", "models is []; expected a list such as "),
        ('models = ["a.txt"]', "models has 'a.txt', which does not end in .onnx"),
        ('models = ["aa.onnx"]', "aa.onnx'; did you mean 'a.onnx'?"),
        ('models = ["net.onnx"]', "net.onnx'; make it with 'bdnet-export export'"),
    ],
)
def test_a_file_that_is_no_matrix_is_one_sentence(folder: Path, text: str, says: str) -> None:
    with pytest.raises(InputError) as raised:
        names(folder, text)
    assert str(raised.value).startswith(f"{folder / 'bench.toml'}")
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("threads = 4", "threads is 4; expected a list of whole numbers such as [1, 4]"),
        ("threads = [1, true]", "threads is [1, True]; expected a list of whole numbers"),
        ("threads = [0]", "threads is 0; "),
        ("batch = [0]", "batch is 0; "),
        ("seconds = nan", "seconds is nan; expected a number of seconds"),
        ("seconds = 0", "seconds is 0.0; "),
        ("warmup = -1", "warmup is -1; "),
        ("profile = 1", "profile is 1; expected true or false"),
        ("governor = ''", "governor is ''; expected text in quotes"),
        ("rounds = 5", "rounds is given, but nothing takes turns without 'against'; leave it out"),
        ("rounds = 1\nagainst = ['fp32']", "rounds is 1; expected 2 or more"),
        ("images = 'a.onnx'\nagainst = ['fp32']", 'images is given, but they are for "int8"'),
        ("images = 'photos'\nagainst = ['int8']", "images: there is no file "),
        ("profile = true\nagainst = ['fp32']", "profile is given, but it shows one file"),
        ("against = ['fp23']", "'fp23' is nothing to compare with; did you mean 'fp32'?"),
        ("against = ['pear.onnx']", "there is no file "),
        ("seconds = 5\nagainst = ['fp32']\ntime_limit = 10", "may take 10 s, but "),
        ("seconds = 5\nmax_temperature = 60\ntime_limit = 300", "may take 305 s, but "),
        ("devices = ['pi']\ninventory = 'lab.toml'", "devices: pi: there is no such device in "),
        ("source = 'a.safetensor'", "a.safetensor"),
        ("source = 'aa.safetensors'", "aa.safetensors'; did you mean 'a.safetensors'?"),
        ("source = 'fashion-mnits'", "did you mean 'fashion-mnist'"),
        ("[source]\n'b.onnx' = 'x:f'", "source has 'b.onnx', which models has not; did you mean"),
    ],
)
def test_what_cannot_be_measured_is_said_before_anything_is(
    folder: Path, line: str, says: str
) -> None:
    with pytest.raises(InputError) as raised:
        names(folder, f"models = ['a.onnx']\n{line}")
    assert str(raised.value).startswith(f"{folder / 'bench.toml'}: ")
    assert says in str(raised.value)


def test_a_cell_is_the_bench_that_a_user_would_type(folder: Path) -> None:
    (folder / "bench.toml").write_text(
        """
        models = ["a.onnx", "b.onnx"]
        devices = ["pi5"]
        batch = [8]
        against = ["fp32", "peer.onnx"]
        no_library = true
        profile = false
        max_temperature = 50
        inventory = "lab.toml"
        source = { "a.onnx" = "a.safetensors" }
        """
    )
    first, second = cells_of(load_matrix(folder / "bench.toml"))
    assert first.command == (
        f"bdnet-export bench {folder}/a.onnx --device pi5 --threads 1 --batch 8 "
        f"--against fp32,{folder}/peer.onnx --no-library --max-temperature 50.0 "
        f"--inventory {folder}/lab.toml --source {folder}/a.safetensors --json {first.file}"
    )
    assert first.file.parent == folder / "results"
    assert first.file.name.startswith("a.pi5.t1.b8.")
    assert "--source" not in second.command


def test_there_is_a_cell_for_each_combination(folder: Path) -> None:
    text = "models = ['a.onnx', 'b.onnx']\ndevices = ['local', 'pi5']\nthreads = [1, 4, 1]\n"
    stems = [name.rsplit(".", 2)[0] for name in names(folder, f"{text}inventory = 'lab.toml'")]
    assert stems == [f"{m}.{d}.t{t}" for m in "ab" for d in ("local", "pi5") for t in (1, 4)]


def test_the_name_stands_for_all_that_gives_another_result(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (
        "models = ['a.onnx']\ndevices = ['pi5', 'orin']\ninventory = 'lab.toml'\n"
        "against = ['peer.onnx']\nseconds = 2\n"
    )
    before = names(folder, text)
    monkeypatch.chdir(folder)
    assert names(folder, text, Path("bench.toml")) == before
    assert names(folder, f"{text}cool_down = 5\ntime_limit = 900") == before
    assert names(folder, text.replace("= 2", "= 2.0")) == before
    for changed in (text.replace("= 2", "= 3"), f"{text}warmup = 1", f"{text}source = 'm:f'"):
        assert not {*names(folder, changed)} & {*before}
    for file in ("a.onnx", "peer.onnx"):
        (folder / file).write_text("another")
        assert not {*names(folder, text)} & {*before}
        (folder / file).write_text(file)
    (folder / "lab.toml").write_text(INVENTORY.replace("10.0.0.5", "10.0.0.6"))
    pi5, orin = names(folder, text)
    assert (pi5 == before[0], orin == before[1]) == (False, True)


def test_a_board_with_two_names_is_measured_under_one_after_the_other(folder: Path) -> None:
    (folder / "bench.toml").write_text(
        "models = ['a.onnx']\ndevices = ['pi5', 'local', 'orin', 'pi5-old']\ninventory = 'lab.toml'"
    )
    lanes = lanes_of(cells_of(load_matrix(folder / "bench.toml")))
    devices = [{lane: [c.device for c in cells] for lane, cells in step.items()} for step in lanes]
    assert devices == [{"local": ["local"]}, {"pi5": ["pi5", "pi5-old"], "orin": ["orin"]}]
