"""Recipes: each that comes with bdnet takes real steps, and what is wrong in a file is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bdnet import InputError, train
from bdnet.data import sources
from bdnet.data.data_set import IMAGENET
from bdnet.data.files import ImageFiles
from bdnet.data.images import Images
from bdnet.preprocessing import Preprocessing
from bdnet.training import loop, recipe_file
from bdnet.training.batches import LabelledImages
from bdnet.training.command_line import Request, parse
from bdnet.training.recipe import Recipe
from support.training import console

CLASSES = {
    "cifar100": 100,
    "flowers102": 102,
    "imagenet": 1000,
    "tiny-imagenet": 200,
}
FROM_FILES = ("flowers102", "folder", "imagenet", "tiny-imagenet")


def like(name: str, size: int, folder: Path) -> tuple[LabelledImages, Preprocessing]:
    """Two images of noise, as the data set of that name has them."""
    generator = np.random.default_rng(0)
    if name not in FROM_FILES:
        channels = 1 if name.startswith("fashion-mnist") else 3
        pixels = generator.integers(0, 256, (2, channels, size, size), np.uint8)
        grey = Preprocessing((0.5,) * channels, (0.25,) * channels)
        return Images(pixels, np.array([0, 1], np.uint8)), grey
    paths = []
    for index, (height, width) in enumerate(((size, size + 20), (size - 7, size))):
        paths.append(folder / f"{index}.jpg")
        noise = generator.integers(0, 256, (height, width, 3), np.uint8)
        Image.fromarray(noise).save(paths[-1])
    return ImageFiles(tuple(paths), np.array([0, 1]), size), IMAGENET


def test_there_is_a_recipe_for_every_data_set() -> None:
    assert {*sources.NAMES, "folder"} <= set(recipe_file.names())
    for name in recipe_file.names():
        assert len(recipe_file.description(name)) > 20
    assert Recipe(**recipe_file.read("fashion-mnist")) == Recipe()


@pytest.mark.parametrize("name", recipe_file.names())
def test_every_recipe_takes_real_steps(name: str, tmp_path: Path) -> None:
    """One in each of its stages, in full size."""
    recipe = Recipe(**recipe_file.read(name))
    stages = min(1, recipe.activation_epochs)
    recipe = replace(recipe, epochs=1, activation_epochs=stages, batch_size=2, threads=1)
    images, preprocessing = like(name, recipe.image_size, tmp_path)
    channels = len(preprocessing.mean)
    model = recipe.build(CLASSES.get(name, 10), channels)
    before = {key: parameter.detach().clone() for key, parameter in model.named_parameters()}
    progress = loop.train(
        model, recipe, images, images, preprocessing, tmp_path / "resume", console()
    )
    assert progress.epochs == 1 + stages
    for key, parameter in model.named_parameters():
        assert torch.isfinite(parameter).all(), key
    moved = [key for key, p in model.named_parameters() if not torch.equal(p, before[key])]
    assert len(moved) > 0.9 * len(before)


def test_options_override_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text("# Mine\nwidth = 1\nstrides = [1,2,1,2,1,2,1,1,1,1,1,2,1]\n")
    own = ["-o", "m.safetensors", "--recipe", str(tmp_path / "my.toml")]
    recipe = parse(own).recipe
    assert recipe == Recipe(width=1.0, strides=(1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1))
    assert parse([*own, "--width", "0.5", "--no-flip"]).recipe == replace(
        recipe, width=0.5, flip=False
    )
    # Thirteen strides are nothing for another network.
    assert parse([*own, "--model", "bireal18"]).recipe.strides == (1, 2, 2, 2)
    assert parse([*own, "--model", "mobilenet_v1"]).recipe == recipe
    assert parse(["-o", "m.safetensors", "--data", "cifar10"]).recipe == Recipe(
        **recipe_file.read("cifar10")
    )
    assert parse(["-o", "m.safetensors", "--data", str(tmp_path)]).recipe.image_size == 224


def test_the_command_asks_for_the_same(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text("width = 1.0\nflip = false\nteacher = 'a.safetensors'\n")
    for words in (
        ["--recipe", str(tmp_path / "my.toml")],
        ["--data", "cifar10", "--flip", "--lr", "0.5", "--strides", "1,1,1,1,1,1,1,1,1,1,1,1,1"],
        ["--data", "stl10", "--recipe", "cifar100", "--image-size", "96"],
        ["--data", "imagenet", "--model", "reactnet_a", "--ema", "0.5"],
    ):
        request = parse(["-o", "m.safetensors", *words])
        command = request.command()
        assert str(tmp_path) not in command
        again = parse(command.split()[3:])
        assert again.recipe == request.recipe
        assert again.data == request.data
        assert again.command() == command


def test_the_list_of_recipes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["--recipe", "list"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert [line.split()[0] for line in shown.splitlines()] == recipe_file.names()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("epochz = 3", "sets 'epochz', which is no part of one; did you mean epochs?"),
        ("epochs = 3.5", "has epochs = 3.5; expected a whole number"),
        ("lr = 'high'", "has lr = 'high'; expected a number"),
        ("flip = 1", "has flip = 1; expected true or false"),
        ("model = 3", "has model = 3; expected text"),
        ("strides = [1, 'x']", "has strides = [1, 'x']; expected whole numbers in brackets"),
        ("epochs = ", "is no TOML"),
        ("optimizer = 'lion'", "--optimizer is 'lion'; it must be one of adam, adamw, sgd"),
        ("teacher_weights = 'w.pt'", "--teacher-weights is given without the --teacher"),
        ("pointwise = 'int8'", "pointwise is 'int8'; it must be"),
        ("model = 'mobilenet_v9'", "--model is 'mobilenet_v9'; it must be one of BDMobileNetV1"),
    ],
)
def test_faults_in_a_file_are_told(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text(content)
    with pytest.raises(InputError) as told:
        Recipe(**recipe_file.read(str(path))).build(10, 3)
    assert message in str(told.value)
    assert "\n" not in str(told.value)


def test_a_recipe_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="did you mean 'cifar10'"):
        recipe_file.read("cifar-10")
    assert train.main(["-o", "m.safetensors", "--recipe", "no.toml"]) == 2
    assert "the recipe no.toml cannot be read" in capsys.readouterr().err


def test_a_request_needs_no_more_than_a_recipe_and_an_output() -> None:
    request = Request(Recipe(), Path("m.safetensors"))
    assert request.command() == (
        "python -m bdnet.train -o m.safetensors --data fashion-mnist --recipe fashion-mnist"
    )
