"""The image that a file reads, and images for it: of which type, layout and size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from bdnet import InputError, Preprocessing
from bdnet_export.images import ImageSet, ImageShape, load_images, random_images
from bdnet_runtime.model_input import Size
from bdnet_runtime.verification import Images

_IMAGE_RANK = 4


@dataclass(frozen=True)
class FileInput:
    """The input of a file.

    Args:
        path: of the file, for messages.
        as_bytes: it is uint8 [N, H, W, C], otherwise float32 [N, C, H, W].
        height, width: None where they are open.
    """

    path: Path
    name: str
    as_bytes: bool
    channels: int
    height: int | None
    width: int | None

    @property
    def any_size(self) -> bool:
        """Height or width are open."""
        return self.height is None or self.width is None

    def image_shape(self, size: Size | None = None) -> tuple[int, int, int]:
        """(C, H, W) of an image.

        Args:
            size: for what the file leaves open.

        Raises:
            InputError: the size is open and not given, or given and another than the file's.
        """
        height, width = size or (self.height, self.width)
        if height is None or width is None:
            raise InputError(
                f"{self.path} reads images of any size; say which, for example --size 224,224"
            )
        if self.height not in (None, height) or self.width not in (None, width):
            raise InputError(
                f"the size is {height} x {width}, but {self.path} always reads "
                f"{self.height or 'any'} x {self.width or 'any'}; leave the size out, or export "
                "with --dynamic-size"
            )
        return self.channels, height, width

    def describe(self) -> str:
        """Its type and shape, as in messages."""
        height, width = self.height or "H", self.width or "W"
        if self.as_bytes:
            return f"uint8 [N, {height}, {width}, {self.channels}]"
        return f"float32 [N, {self.channels}, {height}, {width}]"

    def takes(self, images: Images) -> bool:
        """Whether the file reads images of this type and shape."""
        if images.ndim != 4 or images.dtype != (np.uint8 if self.as_bytes else np.float32):
            return False
        size = (self.height, self.width)
        lengths = (*size, self.channels) if self.as_bytes else (self.channels, *size)
        return all(a in (None, b) for a, b in zip(lengths, images.shape[1:], strict=True))

    def size_note(self, images: Images) -> str | None:
        """Where the file reads any size: which one these images, which it takes, have."""
        if not self.any_size:
            return None
        height, width = images.shape[1:3] if self.as_bytes else images.shape[2:]
        return f"the file reads images of any size; these are {height} x {width}"

    def random(self, count: int, size: Size | None = None) -> ImageSet:
        """Noise that the file reads: `random_images`."""
        return random_images(count, self.image_shape(size), as_bytes=self.as_bytes)

    def load(
        self, path: str | Path, preprocessing: Preprocessing | None, size: Size | None = None
    ) -> ImageSet:
        """Images that the file reads: `load_images`. Where its size is open, of their own size."""
        shape: ImageShape = (self.channels, None, None)
        if size is not None or not self.any_size:
            shape = self.image_shape(size)
        return load_images(
            path, input_shape=shape, preprocessing=preprocessing, as_bytes=self.as_bytes
        )


def file_input(model: onnx.ModelProto, path: Path) -> FileInput:
    """What the file at ``path``, which has one input or whose first one is the image, reads.

    Raises:
        InputError: it reads no images, or leaves their channels open.
    """
    return _image(model.graph.input[0] if model.graph.input else onnx.ValueInfoProto(), path)


def file_images(model: onnx.ModelProto, path: Path) -> list[FileInput]:
    """All images that the file at ``path`` reads, in the order of its inputs.

    Raises:
        InputError: there are none, or one leaves its channels open.
    """
    given = model.graph.input
    images = [v for v in given if len(v.type.tensor_type.shape.dim) == _IMAGE_RANK]
    return [_image(value, path) for value in images or given[:1]]


def _image(given: onnx.ValueInfoProto, path: Path) -> FileInput:
    dims = [dim.dim_value or None for dim in given.type.tensor_type.shape.dim]
    as_bytes = given.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    if len(dims) == _IMAGE_RANK:
        height, width, channels = dims[1:] if as_bytes else (*dims[2:], dims[1])
        if channels is not None:
            return FileInput(path, given.name, as_bytes, channels, height, width)
    raise InputError(
        f"the input of {path} is no image of known channels; expected float32 [N, C, H, W] or "
        "uint8 [N, H, W, C], as 'bdnet-export export' writes it"
    )
