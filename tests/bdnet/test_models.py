"""Networks: rebuilt from their configuration, of the right shapes, clear about what cannot be."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from bdnet import BDMobileNetV1, InputError

CONFIGS: list[dict[str, Any]] = [
    {"width": 0.25, "num_classes": 10, "in_channels": 1, "stem_stride": 1},
    {
        "width": 0.25,
        "depthwise": "binary",
        "pointwise": "ternary",
        "residual": "post_bn",
        "activation": "prelu",
        "learned_shift": False,
        "strides": [1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
    },
    {"width": 0.1, "residual": "none", "activation": "none"},
]


@pytest.mark.parametrize("config", CONFIGS)
def test_configuration_rebuilds_the_network(config: dict[str, Any]) -> None:
    first = BDMobileNetV1(**config)
    second = BDMobileNetV1(**first.config)
    assert second.config == first.config
    second.load_state_dict(first.state_dict())
    image = torch.randn(2, first.config["in_channels"], 29, 28)
    assert torch.equal(first.eval()(image), second.eval()(image))


def test_default_shapes() -> None:
    model = BDMobileNetV1(width=0.25).eval()
    image = torch.randn(1, 3, 224, 224)
    assert model.features(image).shape == (1, 256, 7, 7)
    assert model(image).shape == (1, 1000)


def test_channels_are_multiples_of_eight() -> None:
    model = BDMobileNetV1(width=0.3)
    channels = {m.num_features for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)}
    assert channels == {8, 16, 40, 80, 152, 304}


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"depthwise": "float"}, "depthwise is 'float'; it must be 'binary' or 'ternary'"),
        ({"pointwise": "int8"}, "pointwise is 'int8'; it must be 'binary' or 'ternary'"),
        ({"residual": "preBN"}, "residual is 'preBN'; it must be"),
        ({"activation": "gelu"}, "activation is 'gelu'; it must be"),
        ({"strides": [1, 2]}, r"strides is \[1, 2\]; it must be 13 positive integers"),
        ({"strides": [0] * 13}, "it must be 13 positive integers"),
        ({"width": 0}, "must all be positive"),
        ({"num_classes": 0}, "must all be positive"),
    ],
)
def test_arguments_that_cannot_be_are_told(argument: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        BDMobileNetV1(**argument)
