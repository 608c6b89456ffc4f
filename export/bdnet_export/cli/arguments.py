"""Arguments and options that several commands have, and how their text is read."""

import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bdnet_export.input_shapes import GivenShapes

STANDARD_OUTPUT = "-"
MAX_LENGTH = 65536  # of a batch and of each side of an image: what is longer is a slip


def typed_command() -> list[str]:
    """The words of the command that this process runs, as the user typed them."""
    return ["bdnet-export", *sys.argv[1:]]


def parse_shapes(texts: list[str]) -> "GivenShapes":
    """['3,224,224'] -> (3, 224, 224); of several inputs, each in turn, or each by its name."""
    named = [text.rpartition("=") for text in texts]
    shapes = [_parse_shape(lengths) for _, _, lengths in named]
    names = [name.strip() for name, _, _ in named if name]
    if not names:
        return shapes[0] if len(shapes) == 1 else shapes
    if len(set(names)) < len(shapes):
        raise typer.BadParameter(
            "some inputs have no name, or the same; give NAME=C,H,W for each, or none a name",
            param_hint="'--input-shape'",
        )
    return dict(zip(names, shapes, strict=True))


def _parse_shape(text: str) -> tuple[int, ...]:
    try:
        lengths = tuple(int(part) for part in text.split(","))
    except ValueError:
        lengths = ()
    if not lengths or not all(1 <= length <= MAX_LENGTH for length in lengths):
        raise typer.BadParameter(
            f"{text!r} is not a shape; expected C,H,W, for example 3,224,224, "
            f"each at most {MAX_LENGTH}",
            param_hint="'--input-shape'",
        )
    return lengths


def parse_size(text: str | None) -> tuple[int, int] | None:
    """'224,192' -> (224, 192), height and width."""
    if text is None:
        return None
    try:
        height, width = (int(part) for part in text.split(","))
    except ValueError:
        height = width = 0
    if not (1 <= height <= MAX_LENGTH and 1 <= width <= MAX_LENGTH):
        raise typer.BadParameter(
            f"{text!r} is not a size; expected H,W, for example 224,192, each at most {MAX_LENGTH}",
            param_hint="'--size'",
        )
    return height, width


def parse_batch(text: str) -> int | None:
    """'dynamic' -> None, '4' -> 4."""
    if text == "dynamic":
        return None
    try:
        batch = int(text)
    except ValueError:
        batch = 0
    if not 1 <= batch <= MAX_LENGTH:
        raise typer.BadParameter(
            f"{text!r} is not a batch; expected 'dynamic' or a number from 1 to {MAX_LENGTH}",
            param_hint="'--batch'",
        )
    return batch


def parse_input(text: str) -> bool:
    """Whether the file reads bytes: 'float32' -> False, 'uint8' -> True."""
    if text not in ("float32", "uint8"):
        raise typer.BadParameter(
            f"{text!r} is no input; expected float32 (normalised, [N, C, H, W]) or uint8 (image "
            "bytes, [N, H, W, C])",
            param_hint="'--input'",
        )
    return text == "uint8"


def parse_per_channel(text: str, option: str) -> tuple[float, ...]:
    """'0.5,0.25' -> (0.5, 0.25)."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or not all(map(math.isfinite, numbers)):
        raise typer.BadParameter(
            f"{text!r} is not one number for each channel with commas between them, for example "
            "0.485,0.456,0.406",
            param_hint=f"'{option}'",
        )
    return numbers


def parse_numbers(text: str, option: str) -> list[int]:
    """'1,2' -> [1, 2]; the values are judged where they are used."""
    try:
        return list(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not a number, nor several with commas between them, for example 1,2",
            param_hint=f"'{option}'",
        ) from None


def parse_devices(text: str) -> list[str]:
    """'pi5,orin' -> ['pi5', 'orin']; whether they are in the inventory is seen there."""
    names = [part.strip() for part in text.split(",")]
    if not all(names):
        raise typer.BadParameter(
            f"{text!r} has an empty name; expected a device, or several with commas between them",
            param_hint="'--device'",
        )
    return list(dict.fromkeys(names))


def _is_onnx(path: Path) -> Path:
    if path.suffix != ".onnx":
        raise typer.BadParameter(f"{str(path)!r} does not end in .onnx")
    return path


def _is_existing_onnx(path: Path) -> Path:
    if not _is_onnx(path).is_file():
        raise typer.BadParameter(
            f"there is no file {str(path)!r}; make one with 'bdnet-export export'"
        )
    return path


def _is_writable(file: Path | str | None) -> Path | str | None:
    """Said before the work is done and not after."""
    if file is None or file == STANDARD_OUTPUT:
        return file
    path = Path(file)
    if path.is_dir():
        raise typer.BadParameter(f"{str(path)!r} is a folder; expected the name of a file")
    if not path.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {str(path.parent)!r} to write it into")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise typer.BadParameter(f"{str(path)!r} may not be written by this user")
    return file


def _is_writable_onnx(path: Path) -> Path:
    _is_writable(_is_onnx(path))
    return path


SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="The trained network: a checkpoint (.safetensors or .pt), the name of a shipped "
        "model, or package.module:function for your own.",
        show_default=False,
    ),
]

ModelArgument = Annotated[
    Path,
    typer.Argument(
        metavar="OUT.onnx",
        help="A file that 'bdnet-export export' wrote.",
        show_default=False,
        callback=_is_existing_onnx,
    ),
]

OutputOption = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT.onnx",
        help="The file to write.",
        show_default=False,
        callback=_is_writable_onnx,
    ),
]

SizeOption = Annotated[
    str | None,
    typer.Option(
        "--size",
        metavar="H,W",
        help="Height and width of the images, where the file leaves them open.",
        show_default=False,
    ),
]

InputOption = Annotated[
    str,
    typer.Option(
        "--input",
        metavar="float32|uint8",
        help="What the file reads: normalised floats [N, C, H, W], or image bytes [N, H, W, C], "
        "with the normalisation inside.",
    ),
]

JsonOption = Annotated[
    str | None,
    typer.Option(
        "--json",
        metavar="FILE",
        help="Write the result as JSON; with - to standard output, and nothing else there.",
        show_default=False,
        callback=_is_writable,
    ),
]

InventoryOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="The inventory of devices; by default devices.toml in your configuration folder.",
        show_default=False,
    ),
]

DeviceOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME[,NAME...]",
        help="Where: local, or devices of the inventory; see 'bdnet-export devices list'.",
        show_default=False,
    ),
]

WheelOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="bdnet's wheel for the device, where bdnet is not installed from its source folder "
        "and cannot compile it. It is kept for the next time.",
        show_default=False,
        exists=True,
        dir_okay=False,
    ),
]

JunitOption = Annotated[
    Path | None,
    typer.Option(
        "--junit",
        metavar="FILE",
        help="Write the checks as JUnit XML, which CI systems show as tests.",
        show_default=False,
        callback=_is_writable,
    ),
]
