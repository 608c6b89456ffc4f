"""Makes the held-out images that come with bdnet: ``python -m bdnet.zoo.make_held_out``.

They are the first 400 images of Fashion-MNIST's published test set, which no training reads.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bdnet.data import fashion_mnist
from bdnet.errors import InputError

IMAGES = 400
OUTPUT = Path(__file__).with_name("fashion_mnist_held_out.npz")


def make(data: Path | None, output: Path) -> None:
    """Writes the images to ``output``; ``data`` is the data set's folder, if not a usual one."""
    test = fashion_mnist.test_images(fashion_mnist.find_folder(data))
    np.savez_compressed(
        output,
        images=test.images[:IMAGES],
        labels=test.labels[:IMAGES],
        classes=np.array(fashion_mnist.CLASSES),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit status: 0, or 2 for input that cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m bdnet.zoo.make_held_out", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with Fashion-MNIST's four IDX files")
    options = parser.parse_args(arguments)
    try:
        make(options.data, OUTPUT)
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{OUTPUT}: {IMAGES} images, {OUTPUT.stat().st_size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
