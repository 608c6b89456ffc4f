"""The options of export that change what a file reads or holds, as a user types them.

Each file goes through every command that takes it.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

import bdnet
from support.command_folder import QUICK, CommandFolder
from support.networks import small_mobilenet
from support.result_schemas import load_valid

MEAN, STD = "0.485,0.456", "0.229,0.225"
MODULE = """
from support.networks import tiny_network

def build():
    return tiny_network(seed=1)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> CommandFolder:
    return CommandFolder(tmp_path_factory.mktemp("options"), "optional", MODULE)


# --input uint8


@pytest.fixture(scope="module")
def of_bytes(folder: CommandFolder) -> CommandFolder:
    said = folder.export(
        *("optional:build", "-o", "bytes.onnx", "--input-shape", "2,11,9", "--input", "uint8"),
        *("--mean", MEAN, "--std", STD, "--json", "-"),
    )
    result = load_valid("export", said)
    assert result["input"] == "uint8"
    assert result["preprocessing"] == {"mean": [0.485, 0.456], "std": [0.229, 0.225]}
    return folder


def test_a_file_of_bytes_is_validated_on_bytes(of_bytes: CommandFolder) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 2, 11, 9), np.uint8)
    np.savez(of_bytes.path / "images.npz", images=images, labels=np.zeros(3, np.int64))
    for more in ((), ("--images", "images.npz", "--device", "local")):
        report = of_bytes.json("validate", "bytes.onnx", "optional:build", "--layers", *more)
        assert report["passed"]
        assert report["values_different"] == 0
        assert report["images"] == (3 if more else 32)


def test_a_file_of_bytes_is_shown_and_measured(of_bytes: CommandFolder) -> None:
    shown, _ = of_bytes.run("inspect", "bytes.onnx")
    assert "image batch x 11 x 9 x 2, uint8" in shown
    assert '{"dtype": "uint8", "layout": "NHWC"}' in shown
    # Verified on a device first, and beside the file's own standard operators.
    result = of_bytes.json(
        *("bench", "bytes.onnx", "--source", "optional:build", "--batch", 2),
        *("--against", "no-library", "--rounds", 2, *QUICK),
    )
    assert result["parity"]["passed"]
    for run in result["runs"]:
        assert run["benchmark"]["input"]["dtype"] == "uint8"
        assert run["benchmark"]["input"]["shape"] == [2, 11, 9, 2]


# --dynamic-size


@pytest.fixture(scope="module")
def of_any_size(folder: CommandFolder) -> CommandFolder:
    said = folder.export(
        *("optional:build", "-o", "any.onnx", "--input-shape", "2,11,9"),
        *("--dynamic-size", "--json", "-"),
    )
    assert load_valid("export", said)["dynamic_size"]
    return folder


def test_a_file_of_any_size_is_validated_at_one(of_any_size: CommandFolder) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 2, 14, 23), np.uint8)
    np.savez(of_any_size.path / "large.npz", images=images)
    for more, size in ((("--size", "6,7"), "6 x 7"), (("--images", "large.npz"), "14 x 23")):
        report = of_any_size.json("validate", "any.onnx", "optional:build", *more)
        assert report["passed"]
        assert report["notes"] == [f"the file reads images of any size; these are {size}"]


def test_a_file_of_any_size_is_shown_and_measured_at_one(of_any_size: CommandFolder) -> None:
    shown, _ = of_any_size.run("inspect", "any.onnx")
    assert "image batch x 2 x height x width, float32" in shown
    assert "Note: the file reads images of any size; say which to count operations" in shown
    assert of_any_size.json("inspect", "any.onnx", "--size", "10,12")["ops"] > 0
    result = of_any_size.json(
        *("bench", "any.onnx", "--source", "optional:build", "--size", "10,12"),
        *("--against", "no-library", "--rounds", 2, *QUICK),
    )
    assert result["parity"]["passed"]
    assert {tuple(run["benchmark"]["input"]["shape"]) for run in result["runs"]} == {(1, 2, 10, 12)}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["validate", "any.onnx", "optional:build"],
            "any.onnx reads images of any size; say which",
        ),
        (["bench", "any.onnx"], "'image' is an image of any size; say which, for example --size"),
        (["bench", "any.onnx", "--device", "local"], "any.onnx reads images of any size; say"),
        (["bench", "any.onnx", "--size", "5"], "'5' is not a size; expected H,W"),
        (
            ["inspect", "bytes.onnx", "--size", "8,8"],
            "is 8 x 8, but bytes.onnx always reads 11 x 9",
        ),
        (
            ["validate", "bytes.onnx", "optional:build", "--size", "8,8"],
            "the size is 8 x 8, but bytes.onnx always reads 11 x 9; leave the size out",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_size_that_is_not_known_or_does_not_fit_is_told(
    of_any_size: CommandFolder, of_bytes: CommandFolder, arguments: list[str], says: str
) -> None:
    assert says in of_any_size.refused(*arguments)


# --classifier int8


def test_an_int8_classifier_is_validated_shown_and_measured(folder: CommandFolder) -> None:
    path = folder.path
    network = small_mobilenet()
    bdnet.save(network, path / "m.safetensors", input_shape=(1, 16, 16))
    pixels = np.random.default_rng(0).standard_normal((20, 1, 16, 16)).astype(np.float32)
    with torch.no_grad():
        labels = network(torch.from_numpy(pixels)).argmax(1).numpy()
    np.savez(path / "labelled.npz", images=pixels, labels=labels)
    said = folder.export("m.safetensors", "-o", "int8.onnx", "--classifier", "int8")
    assert said.rstrip().endswith(", classifier in int8")
    validate = ("validate", "int8.onnx", "m.safetensors", "--images", "labelled.npz")
    shown, _ = folder.run(*validate, "--device", "local", "--json", "int8.json")
    for where in ("with the library", "without the library", "on local"):
        (line,) = (line for line in shown.splitlines() if f"int8 classifier {where} " in line)
        assert "tolerance 5e-02; top class the float classifier's on " in line
    assert "Accuracy on these images: PyTorch 100.00%, ONNX " in shown
    report = load_valid("validate", (path / "int8.json").read_text())
    assert report["passed"]
    assert report["classifier_agreement"] == report["accuracy_onnx"] > 0.9
    assert "2,560 bytes int8" in folder.run("inspect", "int8.onnx")[0]
    result = folder.json("bench", "int8.onnx", "--source", "m.safetensors", *QUICK)
    assert result["parity"]["passed"]
    assert result["parity"]["logits"]["tolerance"] == 5e-2


# Combinations without a meaning.


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--input", "int8"], "'int8' is no input; expected float32 "),
        (["--classifier", "int4"], "'int4' is no type of its weights; expected float32 or int8"),
        (["--classifier", "int8"], "the network has no Linear layer of at least 1,024 weights"),
        (["--mean", MEAN, "--std", STD], "'--mean': it is part of a file that reads bytes; add"),
        (["--input", "uint8", "--mean", MEAN], "'--std': it is missing; give --mean and --std"),
        (["--input", "uint8", "--mean", "a", "--std", STD], "'a' is not one number for each"),
        (["--input", "uint8", "--mean", "nan", "--std", "1"], "'nan' is not one number for each"),
        (["--input", "uint8", "--mean", "0,0", "--std", "1"], "one positive std for each channel"),
        (["--input", "uint8", "--mean", "0", "--std", "1"], "for 1 channels, but the network"),
        (["--input", "uint8"], "'optional:build' does not say how its images are normalised; give"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_makes_no_sense_is_one_sentence(
    folder: CommandFolder, arguments: list[str], says: str
) -> None:
    given = ("export", "optional:build", "-o", "none.onnx", "--input-shape", "2,11,9")
    assert says in folder.refused(*given, *arguments)
    assert not (folder.path / "none.onnx").exists()
