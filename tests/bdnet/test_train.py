"""Training: interrupted or not the same bits, it learns, and it says what it cannot do.

The data is made here: IDX files of small pictures whose class can be seen.
"""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console

import bdnet
from bdnet import InputError, train
from bdnet.data import fashion_mnist
from bdnet.data.images import split
from bdnet.models import NETWORKS
from bdnet.training import loop, resume
from bdnet.training.augmentation import draw_moves, move
from bdnet.training.batches import Share, training_batches
from bdnet.training.recipe import Recipe
from support.training import (
    BOTH,
    RECIPE,
    SIZE,
    InterruptionError,
    console,
    interrupt_after,
    train_by,
)


@pytest.fixture(scope="module")
def uninterrupted(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("whole") / "m.safetensors"
    train_by(RECIPE, output, data)
    return output


@pytest.mark.parametrize("epochs", [1, 2])
def test_resumed_training_ends_with_the_same_bits(
    epochs: int, data: Path, uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "m.safetensors"
    with monkeypatch.context() as patch:
        interrupt_after(epochs, patch)
        with pytest.raises(InterruptionError):
            train_by(RECIPE, output, data)
    assert not output.exists()
    assert resume.resume_path(output).exists()
    torch.manual_seed(99)
    shown = console()
    train_by(RECIPE, output, data, shown)
    assert f"continuing after epoch {epochs} of 3" in shown.file.getvalue()  # type: ignore[attr-defined]
    expected = bdnet.load(uninterrupted).state_dict()
    found = bdnet.load(output).state_dict()
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name
    assert sorted(file.name for file in tmp_path.iterdir()) == BOTH


def test_the_default_is_a_plain_loop(data: Path, tmp_path: Path) -> None:
    """Accelerate, stages and averages cost no bit where they are not asked for."""
    images = fashion_mnist.data_set(data)
    model = RECIPE.build(10, 1)
    rest = (images.validation, images.preprocessing, tmp_path / "resume", console())
    loop.train(model, RECIPE, images.training, *rest)
    plain = RECIPE.build(10, 1).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(plain.parameters(), fused=True)
    steps = len(images.training) // RECIPE.batch_size
    for epoch in range(RECIPE.epochs):
        batches = training_batches(images.training, RECIPE, epoch, images.preprocessing, Share())
        for step, (pixels, labels) in enumerate(batches, epoch * steps):
            optimizer.param_groups[0]["lr"] = RECIPE.learning_rate(step, steps)
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(plain(pixels), labels).backward()
            optimizer.step()
    expected = plain.state_dict()
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, expected[name]), name


def test_another_recipe_or_other_data_is_refused(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "m.safetensors"
    with monkeypatch.context() as patch:
        interrupt_after(1, patch)
        with pytest.raises(InterruptionError):
            train_by(RECIPE, output, data)
    with pytest.raises(InputError, match=r"of a training with --lr 0.005, this one has 0.25: run"):
        train_by(replace(RECIPE, lr=0.25), output, data)
    training, validation = split(fashion_mnist.training_images(data))
    training.images.flags.writeable = True
    training.images[0] += 1
    resume_file = resume.resume_path(output)
    arguments = (training, validation, fashion_mnist.PREPROCESSING, resume_file, console())
    with pytest.raises(InputError, match="of a training on other images"):
        loop.train(RECIPE.build(10, 1), RECIPE, *arguments)
    resume_file.write_bytes(resume_file.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"cannot be continued from \(.*\): delete it"):
        train_by(RECIPE, output, data)


def test_it_learns_and_the_checkpoint_says_how(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "m.safetensors"
    recipe = replace(RECIPE, epochs=12, lr=2e-2, label_smoothing=0.0)
    shown = console()
    train_by(recipe, output, data, shown)
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
        train_by(recipe, output, data)


def test_the_command_in_the_metadata_is_the_recipe(
    uninterrupted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = bdnet.read_metadata(uninterrupted).training
    assert training is not None
    words = training["command"].split()
    assert words[:5] == ["python", "-m", "bdnet.train", "-o", "m.safetensors"]
    seen: list[Recipe] = []
    monkeypatch.setattr(train, "run", lambda request, *_: seen.append(request.recipe))
    assert train.main(words[3:]) == 0
    assert seen == [RECIPE]


@pytest.mark.parametrize("model", [name for name in NETWORKS if name != RECIPE.model])
def test_every_network_is_trained(
    model: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(model=model, width=0.1, image_size=SIZE, epochs=1, batch_size=32, threads=1)
    output = tmp_path / "m.safetensors"
    train_by(recipe, output, data)
    training = bdnet.read_metadata(output).training
    assert training is not None
    assert training["recipe"] == recipe.to_dict()
    before = recipe.build(10, 1)
    trained = bdnet.load(output)
    assert type(trained) is NETWORKS[model]
    for name, parameter in trained.named_parameters():
        assert not torch.equal(parameter, before.get_parameter(name)), f"{name} has not moved"
    seen: list[Recipe] = []
    monkeypatch.setattr(train, "run", lambda request, *_: seen.append(request.recipe))
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
    own = ["-o", output, "--data", str(data), "--image-size", str(SIZE)]
    faults = {
        "no folder": ["-o", str(tmp_path / "no" / "m.safetensors")],
        "there is no such folder": ["-o", output, "--data", str(tmp_path / "no")],
        "did you mean 'cifar10'": ["-o", output, "--data", "cifar-10"],
        "dataset-fashion-mnist": ["-o", output, "--data-folder", str(tmp_path / "no")],
        "has neither train-images": ["-o", output, "--data-folder", str(tmp_path)],
        "has 0 folders": ["-o", output, "--data", str(tmp_path)],
        "--epochs is 0; it must be 1 to 1e+06": ["-o", output, "--epochs", "0"],
        "--lr is nan; it must be 0 to inf": ["-o", output, "--lr", "nan"],
        "--threads is 1000000000; it must be 1 to 1024": ["-o", output, "--threads", "1000000000"],
        "a checkpoint is a .safetensors file": ["-o", "m.pt"],
        "width nan": [*own, "--width", "nan"],
        "Fashion-MNIST has images of 8 x 8 and the recipe is for 28": [
            "-o",
            output,
            "--data",
            str(data),
        ],
        "only 220 training images": [*own, "--batch-size", "500"],
    }
    for message, arguments in faults.items():
        assert train.main(arguments) == 2
        told = capsys.readouterr().err
        assert told.startswith("error: ")
        assert message in told
        assert told.count("\n") == 1


def test_a_diverging_loss_is_told(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the loss of epoch 1 is nan: lower --lr"):
        train_by(replace(RECIPE, lr=1e30), tmp_path / "m.safetensors", data)


def test_progress_on_a_terminal(data: Path, tmp_path: Path) -> None:
    terminal = Console(file=io.StringIO(), width=120, force_terminal=True)
    train_by(replace(RECIPE, epochs=1), tmp_path / "m.safetensors", data, terminal)
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
    linear = Recipe(epochs=4, lr=0.1, schedule="linear", warmup=0.5)
    assert linear.learning_rate(4, 10) == pytest.approx(0.1)
    assert linear.learning_rate(22, 10) == pytest.approx(0.1 * 18 / 35)
    constant = Recipe(epochs=4, lr=0.1, schedule="constant", warmup=0)
    assert [constant.learning_rate(step, 10) for step in (0, 1, 39)] == [0.1] * 3


def changed(images: torch.Tensor) -> torch.Tensor:
    return move(images, draw_moves(len(images), 1, True, torch.Generator().manual_seed(0)))


def test_augmentation_only_flips_and_shifts() -> None:
    images = torch.arange(1, 26, dtype=torch.uint8).reshape(1, 1, 5, 5).repeat(64, 2, 1, 1)
    moved = changed(images)
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
    assert torch.equal(moved, changed(images))
