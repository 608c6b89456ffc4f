"""Training: interrupted or not the same bits, it learns, and it says what it cannot do.

The data is made here: IDX files of small pictures whose class can be seen.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from rich.console import Console

import bdnet
from bdnet import InputError, train
from bdnet.data import fashion_mnist
from bdnet.models import NETWORKS
from bdnet.training import loop, resume
from bdnet.training.augmentation import flip_and_shift
from bdnet.training.recipe import Recipe

SIZE = 8
# One thread: the tensors are too small to share, and other work would hold two up.
RECIPE = Recipe(width=0.1, strides=(1, 2, *(1,) * 11), epochs=3, batch_size=32, lr=5e-3, threads=1)


def write_idx(path: Path, values: npt.NDArray[np.uint8]) -> None:
    header = bytes([0, 0, 8, values.ndim])
    header += b"".join(size.to_bytes(4, "big") for size in values.shape)
    content = header + values.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def pictures(count: int, seed: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Noise with a bright square whose place and size say which of four classes it is."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 4, count).astype(np.uint8)
    images = generator.integers(0, 60, (count, SIZE, SIZE)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        top, size = (1 if label % 2 else 4), (2 if label < 2 else 3)
        image[top : top + size, 3 : 3 + size] = 250
    return images, labels


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """A recipe sets PyTorch's threads for the whole process; later tests get theirs back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for prefix, count, suffix in (("train", 240, ".gz"), ("t10k", 40, "")):
        images, labels = pictures(count, seed=count)
        write_idx(folder / f"{prefix}-images-idx3-ubyte{suffix}", images)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte{suffix}", labels)
    return folder


def console() -> Console:
    return Console(file=io.StringIO(), width=200)


class InterruptionError(Exception):
    """Stands for whatever ends a process."""


def interrupt_after(epochs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the next training stop in the middle of the epoch after ``epochs``."""
    real = Recipe.epoch_generator

    def stop(recipe: Recipe, epoch: int) -> torch.Generator:
        if epoch == epochs:
            raise InterruptionError
        return real(recipe, epoch)

    monkeypatch.setattr(Recipe, "epoch_generator", stop)


@pytest.fixture(scope="module")
def uninterrupted(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("whole") / "m.safetensors"
    train.run(RECIPE, output, data, console())
    return output


@pytest.mark.parametrize("epochs", [1, 2])
def test_resumed_training_ends_with_the_same_bits(
    epochs: int, data: Path, uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "m.safetensors"
    with monkeypatch.context() as patch:
        interrupt_after(epochs, patch)
        with pytest.raises(InterruptionError):
            train.run(RECIPE, output, data, console())
    assert not output.exists()
    assert resume.resume_path(output).exists()
    torch.manual_seed(99)
    shown = console()
    train.run(RECIPE, output, data, shown)
    assert f"continuing after epoch {epochs} of 3" in shown.file.getvalue()  # type: ignore[attr-defined]
    expected = bdnet.load(uninterrupted).state_dict()
    found = bdnet.load(output).state_dict()
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name
    assert [file.name for file in tmp_path.iterdir()] == ["m.safetensors"]


def test_another_recipe_or_other_data_is_refused(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "m.safetensors"
    with monkeypatch.context() as patch:
        interrupt_after(1, patch)
        with pytest.raises(InterruptionError):
            train.run(RECIPE, output, data, console())
    with pytest.raises(InputError, match=r"of a training with --lr 0.005, this one has 0.25: run"):
        train.run(replace(RECIPE, lr=0.25), output, data, console())
    training, validation = fashion_mnist.split(fashion_mnist.training_images(data))
    training.images.flags.writeable = True
    training.images[0] += 1
    resume_file = resume.resume_path(output)
    arguments = (training, validation, fashion_mnist.PREPROCESSING, resume_file, console())
    with pytest.raises(InputError, match="of a training on other images"):
        loop.train(RECIPE.build(10, 1), RECIPE, *arguments)
    resume_file.write_bytes(resume_file.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"cannot be continued from \(.*\): delete it"):
        train.run(RECIPE, output, data, console())


def test_it_learns_and_the_checkpoint_says_how(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "m.safetensors"
    recipe = replace(RECIPE, epochs=12, lr=2e-2, label_smoothing=0.0)
    shown = console()
    train.run(recipe, output, data, shown)
    lines = shown.file.getvalue().splitlines()  # type: ignore[attr-defined]
    losses = [float(line.split()[3]) for line in lines if line.startswith("epoch ")]
    assert len(losses) == 12
    assert losses[-1] < losses[0] / 2
    metadata = bdnet.read_metadata(output)
    assert metadata.input_shape == (1, SIZE, SIZE)
    assert metadata.preprocessing == fashion_mnist.PREPROCESSING
    training = metadata.training
    assert training is not None
    assert training["recipe"] == recipe.to_dict()
    assert training["images"] == {"training": 220, "validation": 20, "test": 40}
    assert training["seconds"] > 0
    assert training["cpu_seconds"] > 0
    test = fashion_mnist.test_images(data)
    measured = loop.accuracy(bdnet.load(output), test, fashion_mnist.PREPROCESSING)
    assert measured == training["test_accuracy"] > 0.6
    with pytest.raises(InputError, match="is there already"):
        train.run(recipe, output, data, console())


def test_the_command_in_the_metadata_is_the_recipe(
    uninterrupted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = bdnet.read_metadata(uninterrupted).training
    assert training is not None
    words = training["command"].split()
    assert words[:5] == ["python", "-m", "bdnet.train", "-o", "m.safetensors"]
    seen: list[Recipe] = []
    monkeypatch.setattr(train, "run", lambda recipe, *_: seen.append(recipe))
    assert train.main(words[3:]) == 0
    assert seen == [RECIPE]


@pytest.mark.parametrize("model", [name for name in NETWORKS if name != RECIPE.model])
def test_every_network_is_trained(
    model: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(model=model, width=0.1, epochs=1, batch_size=32, threads=1)
    output = tmp_path / "m.safetensors"
    train.run(recipe, output, data, console())
    training = bdnet.read_metadata(output).training
    assert training is not None
    assert training["recipe"] == recipe.to_dict()
    before = recipe.build(10, 1)
    trained = bdnet.load(output)
    assert type(trained) is NETWORKS[model]
    for name, parameter in trained.named_parameters():
        assert not torch.equal(parameter, before.get_parameter(name)), f"{name} has not moved"
    seen: list[Recipe] = []
    monkeypatch.setattr(train, "run", lambda recipe, *_: seen.append(recipe))
    assert train.main(training["command"].split()[3:]) == 0
    assert seen == [recipe]


def test_what_a_network_does_not_take_is_told() -> None:
    with pytest.raises(InputError, match="ReActNetA has no --residual; leave it out"):
        Recipe(model="ReActNetA", residual="pre_bn")
    with pytest.raises(InputError, match="--model is 'ResNet'; it must be one of BDMobileNetV1, "):
        Recipe(model="ResNet")


def test_the_command_tells_faults_in_a_sentence(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = str(tmp_path / "m.safetensors")
    faults = {
        "no folder": ["-o", str(tmp_path / "no" / "m.safetensors")],
        "dataset-fashion-mnist": ["-o", output, "--data", str(tmp_path / "no")],
        "has neither train-images": ["-o", output, "--data", str(tmp_path)],
        "--epochs is 0; it must be 1 to 1e+06": ["-o", output, "--epochs", "0"],
        "--lr is nan; it must be 0 to inf": ["-o", output, "--lr", "nan"],
        "--threads is 1000000000; it must be 1 to 1024": ["-o", output, "--threads", "1000000000"],
        "a checkpoint is a .safetensors file": ["-o", "m.pt"],
        "width nan": ["-o", output, "--data", str(data), "--width", "nan"],
        "only 220 training images": ["-o", output, "--data", str(data)],
    }
    for message, arguments in faults.items():
        extra = ["--batch-size", "500"] if message.startswith("only") else []
        assert train.main([*arguments, *extra]) == 2
        told = capsys.readouterr().err
        assert told.startswith("error: ")
        assert message in told
        assert told.count("\n") == 1


def test_a_diverging_loss_is_told(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the loss of epoch 1 is nan: lower --lr"):
        train.run(replace(RECIPE, lr=1e30), tmp_path / "m.safetensors", data, console())


def test_progress_on_a_terminal(data: Path, tmp_path: Path) -> None:
    terminal = Console(file=io.StringIO(), width=120, force_terminal=True)
    train.run(replace(RECIPE, epochs=1), tmp_path / "m.safetensors", data, terminal)
    shown = terminal.file.getvalue()  # type: ignore[attr-defined]
    assert "epoch 1/1" in shown
    assert "loss" in shown


def test_learning_rate_rises_then_falls_to_nothing() -> None:
    recipe = Recipe(epochs=4, lr=0.1)
    rates = [recipe.learning_rate(step, 10) for step in range(40)]
    assert rates[:10] == pytest.approx([0.01 * (i + 1) for i in range(10)])
    assert rates[10] == pytest.approx(0.1)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 0.001


def test_augmentation_only_flips_and_shifts() -> None:
    images = torch.arange(1, 26, dtype=torch.uint8).reshape(1, 1, 5, 5).repeat(64, 2, 1, 1)
    moved = flip_and_shift(images, 1, torch.Generator().manual_seed(0))
    assert moved.shape == images.shape
    padded = torch.nn.functional.pad(images[0, 0], (1, 1, 1, 1))
    possible = {
        tuple(window.flatten().tolist())
        for y in range(3)
        for x in range(3)
        for window in (padded[y : y + 5, x : x + 5], padded[y : y + 5, x : x + 5].flip(1))
    }
    seen = {tuple(channel.flatten().tolist()) for image in moved for channel in image}
    assert seen <= possible
    assert len(seen) > 10
    assert torch.equal(moved[:, 0], moved[:, 1])
    assert torch.equal(moved, flip_and_shift(images, 1, torch.Generator().manual_seed(0)))
