"""Trains a network on Fashion-MNIST: ``python -m bdnet.train -o OUT.safetensors``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import torch
from rich.console import Console

from bdnet.checkpoint import SUFFIX, save
from bdnet.data import fashion_mnist
from bdnet.errors import InputError
from bdnet.models import NETWORKS
from bdnet.training import loop, resume
from bdnet.training.recipe import NETWORK_OPTIONS, Recipe, option

_CHOICES = {
    "model": tuple(NETWORKS),
    "depthwise": ("ternary", "binary"),
    "pointwise": ("binary", "ternary"),
    "residual": ("pre_bn", "post_bn", "none"),
}
_HELP = {
    "model": "the network",
    "width": "multiplies every number of channels",
    "depthwise": "weights of the depth-wise convolutions",
    "pointwise": "weights of the point-wise convolutions",
    "residual": "where the shortcut joins",
    "stem_stride": "stride of the stem",
    "strides": "strides of the blocks or stages, with commas",
    "epochs": "passes over the training images",
    "batch_size": "images a step",
    "lr": "highest learning rate",
    "label_smoothing": "share of a label's probability spread over all classes",
    "shift": "how many pixels an image is moved at most",
    "seed": "of weights, order and augmentation",
    "threads": "of PyTorch; they decide bits too",
}


def _strides(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(stride) for stride in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no list of numbers with commas, such as 1,1,2"
        ) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bdnet.train",
        description="Train a network on Fashion-MNIST. Interrupted, the same command continues "
        "where it stopped and ends with the same bits.",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help="the checkpoint, a .safetensors file"
    )
    parser.add_argument("--data", type=Path, help="folder with Fashion-MNIST's four IDX files")
    defaults = Recipe()
    for field in fields(Recipe):
        default = getattr(defaults, field.name)
        strides = field.name == "strides"
        of_network = field.name in NETWORK_OPTIONS
        shown = "what suits --model" if of_network else default
        parser.add_argument(
            option(field.name),
            type=_strides if strides else type(default),
            choices=_CHOICES.get(field.name),
            default=None if of_network else default,
            metavar=None if field.name in _CHOICES else "S,S,..." if strides else "N",
            help=f"{_HELP[field.name]} (default: {shown})",
        )
    return parser


def run(recipe: Recipe, output: Path, data: Path | None, console: Console) -> None:
    """Trains by ``recipe`` into the checkpoint ``output``.

    Raises:
        InputError: data or output cannot be used, or the training cannot be continued.
    """
    if output.suffix != SUFFIX:
        raise InputError(f"-o is {output}; a checkpoint is a {SUFFIX} file")
    resume_file = resume.resume_path(output)
    if not output.parent.is_dir():
        raise InputError(f"there is no folder {output.parent} to write {output.name} into")
    if output.exists() and not resume_file.exists():
        raise InputError(f"{output} is there already; move it away or choose another -o")
    folder = fashion_mnist.find_folder(data)
    training, validation = fashion_mnist.split(fashion_mnist.training_images(folder))
    preprocessing = fashion_mnist.PREPROCESSING
    model = recipe.build(len(fashion_mnist.CLASSES), in_channels=1)
    progress = loop.train(model, recipe, training, validation, preprocessing, resume_file, console)
    test = fashion_mnist.test_images(folder)
    test_accuracy = loop.accuracy(model, test, preprocessing)
    validation_accuracy = progress.history[-1]["validation_accuracy"]
    save(
        model,
        output,
        input_shape=(1, *test.images.shape[2:]),
        preprocessing=preprocessing,
        training={
            "command": recipe.command(output.name),
            "recipe": recipe.to_dict(),
            "network": "of the last epoch",
            "data": "Fashion-MNIST",
            "images": {"training": len(training), "validation": len(validation), "test": len(test)},
            "validation_accuracy": validation_accuracy,
            "test_accuracy": test_accuracy,
            "seconds": round(progress.seconds, 1),
            "cpu_seconds": round(progress.cpu_seconds, 1),
            "torch": torch.__version__,
        },
    )
    resume_file.unlink()
    console.print(
        f"{output}: validation {100 * validation_accuracy:.2f} %, "
        f"test {100 * test_accuracy:.2f} %, {output.stat().st_size / 1e6:.2f} MB, "
        f"trained in {progress.seconds / 60:.1f} min",
        highlight=False,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit status: 0, or 2 for input that cannot be used."""
    options = vars(_parser().parse_args(arguments))
    output, data = options.pop("output"), options.pop("data")
    try:
        run(Recipe(**options), output, data, Console())
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the same command continues after the last epoch", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
