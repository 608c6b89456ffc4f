"""Two stages, a teacher and a moving average: each does its part, and resuming keeps the bits."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import bdnet
from bdnet import InputError, train
from bdnet.data import fashion_mnist
from bdnet.layers import BinaryConv2d, FloatConv2d, SignConv2d
from bdnet.quantize import sign_activation
from bdnet.training import loop, processes
from bdnet.training.batches import Share, training_batches
from bdnet.training.command_line import Request
from bdnet.training.distillation import Loss
from bdnet.training.recipe import Optimizer, Recipe
from bdnet.training.teacher import load_teacher
from bdnet.training.trainee import Stage, Trainee
from support.training import (
    RECIPE,
    SIZE,
    InterruptionError,
    console,
    interrupt_after,
    train_by,
)


@pytest.fixture(scope="module")
def recipe(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """Everything on; the teacher is a float twin."""
    twin = tmp_path_factory.mktemp("twin") / "twin.safetensors"
    train_by(replace(RECIPE, depthwise="float", pointwise="float", epochs=2), twin, data)
    return replace(
        RECIPE,
        activation_epochs=2,
        epochs=2,
        optimizer="adamw",
        weight_decay=1e-3,
        label_smoothing=0.1,
        ema=0.9,
        teacher=str(twin),
        temperature=2.0,
    )


@pytest.fixture(scope="module")
def uninterrupted(recipe: Recipe, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("whole") / "m.safetensors"
    train_by(recipe, output, data)
    return output


# In the first stage, between the two, and in the second.
@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_resuming_keeps_the_bits_with_everything_on(
    epochs: int,
    recipe: Recipe,
    data: Path,
    uninterrupted: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output, log = tmp_path / "m.safetensors", tmp_path / "log.csv"
    request = Request(recipe, output, str(data), log=log)
    with monkeypatch.context() as patch:
        interrupt_after(epochs, patch)
        with pytest.raises(InterruptionError):
            train.run(request, console())
    torch.manual_seed(99)
    train.run(request, console())
    for path in (output, train.best_path(output)):
        expected = bdnet.load(uninterrupted.with_name(path.name)).state_dict()
        found = bdnet.load(path).state_dict()
        assert found.keys() == expected.keys()
        for name, tensor in expected.items():
            assert torch.equal(found[name], tensor), name
    with log.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]


def test_another_teacher_is_refused(
    recipe: Recipe, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert recipe.teacher is not None
    teacher, output = tmp_path / "teacher.safetensors", tmp_path / "m.safetensors"
    teacher.write_bytes(Path(recipe.teacher).read_bytes())
    changed = replace(recipe, teacher=str(teacher))
    with monkeypatch.context() as patch:
        interrupt_after(1, patch)
        with pytest.raises(InterruptionError):
            train_by(changed, output, data)
    bdnet.save(changed.build(10, 1), teacher)
    with pytest.raises(InputError, match="of a training with another teacher"):
        train_by(changed, output, data)


def test_the_best_network_is_the_best_by_validation(data: Path, tmp_path: Path) -> None:
    output, log = tmp_path / "m.safetensors", tmp_path / "log.csv"
    recipe = replace(RECIPE, activation_epochs=1, epochs=5, lr=2e-2, schedule="constant")
    train.run(Request(recipe, output, str(data), log=log), console())
    with log.open(newline="") as file:
        accuracies = [float(row["validation_accuracy"]) for row in csv.DictReader(file)]
    # What the first stage measures is no network that could be kept.
    best_accuracy = max(accuracies[1:])
    metadata = bdnet.read_metadata(train.best_path(output)).training
    assert metadata is not None
    assert metadata["validation_accuracy"] == best_accuracy
    epoch = accuracies.index(best_accuracy, 1) + 1
    assert metadata["network"] == f"of epoch {epoch}, the best of 6 by validation accuracy"
    best = bdnet.load(train.best_path(output))
    images = fashion_mnist.data_set(data)
    measured = loop.accuracy(best, images.validation, images.preprocessing)
    assert measured == metadata["validation_accuracy"]
    last = bdnet.read_metadata(output).training
    assert last is not None
    assert last["network"] == "of the last epoch"
    assert last["validation_accuracy"] == accuracies[-1]


def test_the_average_is_what_is_kept(data: Path, tmp_path: Path) -> None:
    """Computed here from the weights after each step, by the definition."""
    images = fashion_mnist.data_set(data)
    recipe = replace(RECIPE, epochs=1, batch_size=55, ema=0.75)
    seen: list[torch.Tensor] = []

    class Watch(nn.Module):
        """Sees the stem's weights before each step, as the teacher of no share."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(model.stem.conv.weight.detach().clone())  # type: ignore[union-attr,operator]
            return torch.zeros(len(x), 10)

    model = recipe.build(10, 1)
    recipe = replace(recipe, distillation=0.0)
    watch = Watch()
    rest = (images.validation, images.preprocessing, tmp_path / "r", console())
    loop.train(model, recipe, images.training, *rest, teacher=watch)
    assert len(seen) == 4
    after_last = recipe.build(10, 1)
    plain = replace(recipe, ema=0.0)
    rest = (images.validation, images.preprocessing, tmp_path / "r2", console())
    loop.train(after_last, plain, images.training, *rest)
    average = seen[1]
    for weight in (seen[2], seen[3], after_last.stem.conv.weight.detach()):  # type: ignore[union-attr]
        average = 0.75 * average + 0.25 * weight  # type: ignore[operator]
    torch.testing.assert_close(model.stem.conv.weight.detach(), average)  # type: ignore[union-attr,operator]


def test_the_first_stage_has_real_weights() -> None:
    conv = BinaryConv2d(3, 4, 3, padding=1)
    x = torch.randn(2, 3, 5, 5)
    conv.real_weights = True
    expected = F.conv2d(sign_activation(x), conv.weight, padding=1)
    assert torch.equal(conv(x), expected)
    conv.real_weights = False
    assert not torch.allclose(conv(x), expected)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("stage", ["real weights", "signs"])
def test_weights_that_act_by_their_sign_do_not_decay(
    stage: str, optimizer: Optimizer, data: Path
) -> None:
    """In one step, so that the gradients are the same with a decay and without."""
    images = fashion_mnist.data_set(data)
    recipe = replace(RECIPE, optimizer=optimizer, batch_size=len(images.training), epochs=1)
    moved = []
    for decay in (0.0, 0.5):
        model = recipe.build(10, 1)
        one = replace(recipe, weight_decay=decay)
        accelerator = processes.start(one)
        trainee = Trainee(model, one, Stage(0, 1, stage == "real weights"), accelerator)
        (batch,) = training_batches(images.training, one, 0, images.preprocessing, Share())
        F.cross_entropy(model(batch[0]), batch[1]).backward()
        trainee.step(0.01)
        moved.append(model.state_dict())
    decayed = {name for name, tensor in moved[0].items() if not torch.equal(tensor, moved[1][name])}
    expected = {"stem.conv.weight", "head.classifier.weight"}
    if stage == "real weights":
        expected |= {name for name in moved[0] if name.endswith("wise.conv.weight")}
    assert decayed == expected


def test_a_float_twin_has_nothing_quantised_and_is_not_deployed() -> None:
    twin = bdnet.BDMobileNetV1(0.25, 10, 1, depthwise="float", pointwise="float")
    convs = [module for module in twin.modules() if isinstance(module, SignConv2d)]
    assert len(convs) == 26
    assert all(type(conv) is FloatConv2d for conv in convs)
    x = torch.randn(2, convs[0].in_channels, 6, 6)
    conv = convs[0]
    expected = F.conv2d(x, conv.weight, padding=1, groups=conv.groups)
    assert torch.equal(conv(x), expected)
    with pytest.raises(InputError, match="FloatConv2d has no deployment form"):
        bdnet.deploy(twin)
    row = bdnet.count_ops(twin, (1, 28, 28)).rows[2]
    assert row.kind == "float convolution"
    assert row.bops == 0
    assert row.flops == 9 * 8 * 14 * 14


def test_distillation_is_the_formula() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, taught = (torch.randn(5, 3, generator=generator) for _ in range(2))
    labels = torch.tensor([0, 1, 2, 1, 0])

    class Teacher(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return taught

    recipe = Recipe(distillation=0.25, temperature=3.0, label_smoothing=0.1)
    p, q = (taught / 3).softmax(1), (logits / 3).softmax(1)
    divergence = (p * (p / q).log()).sum(1).mean()
    entropy = F.cross_entropy(logits, labels, label_smoothing=0.1)
    expected = 0.75 * entropy + 0.25 * 9 * divergence
    found = Loss(recipe, Teacher())(logits, torch.zeros(5, 1), labels)
    torch.testing.assert_close(found, expected)
    assert torch.equal(Loss(recipe, None)(logits, torch.zeros(5, 1), labels), entropy)


def test_a_teacher_of_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(
        "from torch import nn\n"
        "def small(num_classes): return nn.Sequential(nn.Flatten(), nn.Linear(64, num_classes))\n"
        "def wrong(num_classes): return nn.Flatten()\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    weights = {"1.weight": torch.ones(10, 64), "1.bias": torch.zeros(10)}
    torch.save({"state_dict": weights}, "w.pt")
    torch.save({"1.bias": torch.zeros(7)}, "other.pt")
    shape = (1, SIZE, SIZE)
    recipe = Recipe(teacher="mine:small", teacher_weights="w.pt")
    teacher = load_teacher(recipe, 10, shape)
    assert teacher is not None
    assert teacher(torch.ones(1, *shape)).tolist() == [[64.0] * 10]
    faults = {
        "give the file of its weights to --teacher-weights": {"teacher_weights": None},
        "there is no file no.pt": {"teacher_weights": "no.pt"},
        "the weights in other.pt do not fit": {"teacher_weights": "other.pt"},
        "expected a checkpoint": {"teacher": "mine"},
        "the teacher no.safetensors is not there: train it first": {"teacher": "no.safetensors"},
        "has its own weights": {"teacher": "w.pt"},
        "cannot be made: AttributeError": {"teacher": "mine:absent"},
        "cannot be made: ModuleNotFoundError": {"teacher": "no_such_package:x"},
    }
    for message, change in faults.items():
        with pytest.raises(InputError, match=message):
            load_teacher(replace(recipe, **change), 10, shape)  # type: ignore[arg-type]
    torch.save({}, "none.pt")
    with pytest.raises(InputError, match=r"answers one image with \[1, 64\]; expected logits"):
        load_teacher(replace(recipe, teacher="mine:wrong", teacher_weights="none.pt"), 10, shape)
    with pytest.raises(InputError, match="does not take images of 3 x 8 x 8"):
        load_teacher(recipe, 10, (3, SIZE, SIZE))


def test_mixed_precision_computes_otherwise_and_learns(data: Path, tmp_path: Path) -> None:
    images = fashion_mnist.data_set(data)
    losses = {}
    for precision in ("float32", "bfloat16"):
        recipe = replace(RECIPE, precision=precision, lr=2e-2)  # type: ignore[arg-type]
        rest = (images.validation, images.preprocessing, tmp_path / precision, console())
        model = recipe.build(10, 1)
        history = loop.train(model, recipe, images.training, *rest).history
        losses[precision] = [row["loss"] for row in history]
        assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
        assert "forward" not in vars(model)
    assert losses["bfloat16"] != losses["float32"]
    assert losses["bfloat16"][-1] < losses["bfloat16"][0]


def test_float16_on_a_cpu_is_refused(data: Path, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(InputError, match="--precision is float16, which needs a GPU"):
        train_by(replace(RECIPE, precision="float16"), tmp_path / "m.safetensors", data)
