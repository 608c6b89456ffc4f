"""What comes with bdnet: it loads, it does what its metadata says, and its README says the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import bdnet
from bdnet import InputError, zoo
from bdnet.data import fashion_mnist
from bdnet.data.images import Images
from bdnet.training import loop
from bdnet.zoo import make_held_out

README = Path(zoo.__file__).with_name("README.md")


def test_a_mistyped_name_is_told() -> None:
    with pytest.raises(InputError, match="did you mean 'fashion-mnist'"):
        zoo.checkpoint_path("fashon-mnist")
    with pytest.raises(InputError, match="bdnet has 'fashion-mnist'"):
        zoo.held_out_images("resnet")


@pytest.mark.parametrize("name", zoo.names())
def test_accuracy_on_the_held_out_images(name: str) -> None:
    path = zoo.held_out_images(name)
    assert path is not None
    metadata = bdnet.read_metadata(zoo.checkpoint_path(name))
    assert metadata.preprocessing is not None
    assert metadata.training is not None
    with np.load(path) as arrays:
        held_out = Images(arrays["images"], arrays["labels"])
        assert tuple(arrays["classes"]) == fashion_mnist.CLASSES
    assert held_out.images.shape == (make_held_out.IMAGES, *(metadata.input_shape or ()))
    measured = loop.accuracy(
        bdnet.load(zoo.checkpoint_path(name)), held_out, metadata.preprocessing
    )
    # Four standard deviations of a share of 400 images: a damaged network is far outside.
    expected = metadata.training["test_accuracy"]
    assert abs(measured - expected) < 4 * (expected * (1 - expected) / len(held_out)) ** 0.5


@pytest.mark.parametrize("name", zoo.names())
def test_readme_states_the_metadata(name: str) -> None:
    path = zoo.checkpoint_path(name)
    training = bdnet.read_metadata(path).training
    assert training is not None
    text = README.read_text()
    assert training["command"] in text
    for share in (training["validation_accuracy"], training["test_accuracy"]):
        assert f"{100 * share:.2f} %" in text
    assert f"{training['seconds'] / 60:.0f} minutes" in text
    assert path.stat().st_size < 2.5e6
