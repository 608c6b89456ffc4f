"""The options of ``python -m bdnet.train``: a recipe, and what overrides it."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bdnet.command import comma_list
from bdnet.data import fashion_mnist, sources
from bdnet.training import networks, recipe_file
from bdnet.training.recipe import Recipe, option

_HELP = {
    "model": "the network",
    "width": "multiplies every number of channels",
    "depthwise": "weights of the depth-wise convolutions",
    "pointwise": "weights of the point-wise convolutions",
    "residual": "where the shortcut joins",
    "stem_stride": "stride of the stem",
    "strides": "strides of the blocks or stages, with commas",
    "image_size": "height and width of the images",
    "activation_epochs": "passes before them in which activations alone are binarised",
    "epochs": "passes over the training images",
    "batch_size": "images a step",
    "optimizer": "what takes the steps",
    "lr": "highest learning rate",
    "schedule": "how the learning rate falls",
    "warmup": "epochs in which the learning rate rises",
    "weight_decay": "of weights that act by their value",
    "label_smoothing": "share of a label's probability spread over all classes",
    "flip": "mirror half of the images",
    "shift": "how many pixels an image is moved at most",
    "smallest_crop": "least share of an image file that a random crop keeps",
    "teacher": "a checkpoint, or package.module:function, to learn from",
    "teacher_weights": "the file with that function's weights",
    "distillation": "the teacher's share of the loss",
    "temperature": "divides the logits that are compared with the teacher's",
    "ema": "decay of the weights' moving average; 0 is none",
    "precision": "of the float arithmetic in a step",
    "seed": "of weights, order and augmentation",
    "threads": "of PyTorch, and to read image files; they decide bits too",
}
_DESCRIPTION = (
    "Train a network by a recipe; every option overrides the recipe's value. Interrupted, the same "
    "command continues where it stopped and ends with the same bits. Several GPUs: "
    "accelerate launch -m bdnet.train ..."
)


@dataclass(frozen=True)
class Request:
    """What a command line asks for.

    Args:
        output: the checkpoint to write.
        data, data_folder, download: as `bdnet.data.sources.open_data` takes them.
        log: a CSV file or a folder for TensorBoard.
        base: the name of the recipe that ``recipe`` was made from, for `command`.
    """

    recipe: Recipe
    output: Path
    data: str = "fashion-mnist"
    data_folder: Path | None = None
    download: bool = False
    log: Path | None = None
    base: str | None = None

    def command(self) -> str:
        """A command line that asks for the same, without folders of this machine."""
        data = self.data
        if data not in sources.NAMES:
            data = "fashion-mnist" if fashion_mnist.is_there(Path(data)) else Path(data).name
        # A recipe file of the user's may change, or be elsewhere; one of ours is named.
        base = self.base if self.base in recipe_file.names() else _default_recipe(data)
        words = ["python", "-m", "bdnet.train", "-o", self.output.name]
        words += ["--data", data, "--recipe", base]
        values = recipe_file.read(base)
        if Recipe(**values).model != self.recipe.model:
            words += ["--model", self.recipe.model]
        origin = Recipe(**_overridden(values, {"model": self.recipe.model}))
        for name in recipe_file.FIELDS:
            value = getattr(self.recipe, name)
            if value == getattr(origin, name) or value is None:
                continue
            if isinstance(value, bool):
                words.append(option(name if value else f"no_{name}"))
            else:
                text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
                words += [option(name), text]
        return shlex.join(words)


def parse(arguments: Sequence[str] | None) -> Request:
    """Reads a command line, by default the program's own; argparse ends the program on its faults.

    Raises:
        InputError: the recipe cannot be read, or an option is out of its range.
    """
    options = vars(_parser().parse_args(arguments))
    given = {name: options.pop(name) for name in recipe_file.FIELDS}
    given = {name: value for name, value in given.items() if value is not None}
    base = options.pop("recipe") or _default_recipe(options["data"])
    recipe = Recipe(**_overridden(recipe_file.read(base), given))
    return Request(recipe, **options, base=base)


def _default_recipe(data: str) -> str:
    """The recipe named after the data set, or the one for a folder of images."""
    if data in sources.NAMES:
        return data
    return "fashion-mnist" if fashion_mnist.is_there(Path(data)) else "folder"


def _overridden(values: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """What a recipe says of its own network says nothing of another."""
    model = given.get("model")
    if model is not None and Recipe(model=model).model != Recipe(**values).model:
        values = {name: value for name, value in values.items() if name not in networks.OPTIONS}
    return {**values, **given}


class _RecipeOption(argparse.Action):
    """``--recipe``; asked for ``list``, it shows what there is and ends, as ``--help`` does."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        if values == "list":
            width = max(map(len, recipe_file.names()))
            for name in recipe_file.names():
                print(f"{name:{width}}  {recipe_file.description(name)}")
            parser.exit()
        setattr(namespace, self.dest, values)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bdnet.train", description=_DESCRIPTION)
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help="the checkpoint, a .safetensors file"
    )
    parser.add_argument(
        "--data",
        default="fashion-mnist",
        help=f"{', '.join(sources.NAMES)}, or a folder with a folder of images for each class "
        "(default: fashion-mnist)",
    )
    parser.add_argument("--data-folder", type=Path, help="where the data set of that name is")
    parser.add_argument(
        "--download", action="store_true", help="get it there first, with torchvision's downloader"
    )
    parser.add_argument(
        "--recipe",
        action=_RecipeOption,
        help="a name, or a .toml file; 'list' shows the names (default: the data set's)",
    )
    parser.add_argument("--log", type=Path, help="a .csv file, or a folder for TensorBoard")
    for name, text in _HELP.items():
        _add_option(parser, name, text)
    return parser


def _add_option(parser: argparse.ArgumentParser, name: str, text: str) -> None:
    kind = recipe_file.kind(name)
    if kind is bool:
        parser.add_argument(option(name), action=argparse.BooleanOptionalAction, help=text)
        return
    choices = recipe_file.choices(name)
    if name == "model":
        text += f": {', '.join(networks.NAMES)}, or its class"
    elif choices is not None:
        text += f": {', '.join(choices)}"
    parser.add_argument(
        option(name),
        type=comma_list(int, "1,1,2") if kind is tuple else kind,
        choices=choices,
        metavar="S,S,..." if kind is tuple else "TEXT" if kind is str else "N",
        help=text,
    )
