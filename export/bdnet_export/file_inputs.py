"""All inputs of a file, where it reads more than one image, and values for each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from bdnet import InputError, Preprocessing
from bdnet_export.file_input import FileInput, file_input
from bdnet_export.images import ImageSet, load_arrays, prepared
from bdnet_runtime.model_input import Size, fit_input
from bdnet_runtime.verification import Images

Lengths = tuple[int | str, ...]


@dataclass(frozen=True)
class FileInputs:
    """The inputs of a file.

    Args:
        path: of the file, for messages.
        shapes: of each input by its name, with the batch; a length that is open is a name.
        of_bytes: names of those that are uint8 [N, H, W, C]; the others are float32.
    """

    path: Path
    shapes: dict[str, Lengths]
    of_bytes: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.shapes)

    @property
    def any_size(self) -> bool:
        """A height or a width is open."""
        return any(isinstance(n, str) for shape in self.shapes.values() for n in shape[1:])

    def describe(self) -> str:
        """Names, types and shapes, as in messages."""
        return ", ".join(
            f"{name} {'uint8' if name in self.of_bytes else 'float32'} "
            f"[{', '.join(map(str, ('N', *shape[1:])))}]"
            for name, shape in self.shapes.items()
        )

    def require(self, arrays: Sequence[Images]) -> None:
        """Raises `InputError` where the file does not read ``arrays``, one for each input."""
        given = ", ".join(f"{array.dtype} {list(array.shape)}" for array in arrays)
        if len(arrays) != len(self.shapes) or not all(map(self._takes, self.shapes, arrays)):
            raise InputError(f"{self.path} reads {self.describe()}; given: {given}")
        if len({len(array) for array in arrays}) > 1 or not len(arrays[0]):
            raise InputError(
                f"the inputs are of different batches, or of none ({given}); give as many of each"
            )

    def _takes(self, name: str, array: Images) -> bool:
        shape = self.shapes[name][1:]
        return (
            array.dtype == (np.uint8 if name in self.of_bytes else np.float32)
            and array.ndim == 1 + len(shape)
            and all(n in (m, str(n)) for n, m in zip(shape, array.shape[1:], strict=True))
        )

    def random(self, count: int, size: Size | None = None) -> ImageSet:
        """``count`` values of noise for each input, the same for the same count.

        Args:
            size: height and width of every image whose size the file leaves open.

        Raises:
            InputError: the size is open and not given, or given and nowhere open.
        """
        arrays: list[Images] = []
        for seed, (name, shape) in enumerate(self.shapes.items()):
            size_here = size if any(isinstance(n, str) for n in shape[1:]) else None
            as_bytes = name in self.of_bytes
            fed = fit_input(name, ("N", *shape[1:]), count, size_here, as_bytes=as_bytes)
            arrays.append(fed.random(seed))
        if size is not None and not self.any_size:
            raise InputError(
                f"a size was given, but {self.path} reads {self.describe()}; leave the size out"
            )
        first, *more = arrays
        return ImageSet(first, None, f"{count} random values of each input", tuple(more))

    def load(
        self, path: str | Path, preprocessing: Preprocessing | None, size: Size | None = None
    ) -> ImageSet:
        """Reads an ``.npz`` file with one array for each input by its name, and maybe ``labels``.

        Bytes of images are uint8 [N, C, H, W]; for an input of floats they are normalised.

        Raises:
            InputError: it is no such file, or an array does not fit; or a size is given.
        """
        path = Path(path)
        if size is not None:
            raise InputError(f"a size was given, but {path} has arrays; leave the size out")
        if path.suffix != ".npz":
            raise InputError(
                f"{self.path} reads {self.describe()}, and {path} is no .npz file; give one with "
                f"an array for each: {', '.join(self.names)}"
            )
        found, labels = load_arrays(path, self.names)
        arrays = [
            prepared(array, preprocessing, name in self.of_bytes, f"{name!r} in {path}")
            for name, array in zip(self.names, found, strict=True)
        ]
        self.require(arrays)
        if labels is not None and labels.shape != (len(arrays[0]),):
            raise InputError(
                f"'labels' in {path} has shape {list(labels.shape)}; expected [{len(arrays[0])}]"
            )
        first, *more = arrays
        return ImageSet(first, labels, f"{len(first)} inputs of {path.name}", tuple(more))

    def size_note(self, images: Images) -> str | None:
        """Where the file reads any size: what the first input's values are."""
        if not self.any_size:
            return None
        shown = " x ".join(map(str, images.shape[1:]))
        return f"the file reads images of any size; those of {self.names[0]} are {shown}"


def input_of(model: onnx.ModelProto, path: Path) -> FileInput | FileInputs:
    """The one image that the file at ``path`` reads, or else all that it reads."""
    given = file_inputs(model, path)
    one_image = [len(shape) for shape in given.shapes.values()] == [4]
    return file_input(model, path) if one_image else given


def file_inputs(model: onnx.ModelProto, path: Path) -> FileInputs:
    """What the file at ``path`` reads."""
    given = model.graph.input
    return FileInputs(
        path,
        {
            value.name: tuple(
                dim.dim_value or dim.dim_param for dim in value.type.tensor_type.shape.dim
            )
            for value in given
        },
        tuple(
            value.name
            for value in given
            if value.type.tensor_type.elem_type == onnx.TensorProto.UINT8
        ),
    )
