"""What each network takes from a recipe, and what suits it where the recipe says nothing."""

from __future__ import annotations

from typing import Any

NAMES = {
    "mobilenet_v1": "BDMobileNetV1",
    "mobilenet_v2": "BDMobileNetV2",
    "reactnet_a": "ReActNetA",
    "bireal18": "BiRealNet18",
}
"""Short names on the command line and in recipes."""

SMALL = 64
"""Images smaller than this have their size halved four times; larger ones five times."""

_BD_NET = {"depthwise": "ternary", "pointwise": "binary", "residual": "pre_bn"}
OPTIONS = (*_BD_NET, "stem_stride", "strides")
"""The fields whose default depends on the network."""

_BLOCKS_SMALL = (1, 1, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
_BLOCKS_LARGE = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)

_FOR_SMALL_IMAGES: dict[str, dict[str, Any]] = {
    "BDMobileNetV1": {**_BD_NET, "stem_stride": 2, "strides": _BLOCKS_SMALL},
    "BDMobileNetV2": {**_BD_NET, "stem_stride": 2, "strides": (1, 1, 2, 2, 1, 1, 1)},
    "ReActNetA": {"stem_stride": 2, "strides": _BLOCKS_SMALL},
    "BiRealNet18": {"stem_stride": 2, "strides": (1, 2, 2, 2)},
}
_FOR_LARGE_IMAGES: dict[str, dict[str, Any]] = {
    "BDMobileNetV1": {**_BD_NET, "stem_stride": 2, "strides": _BLOCKS_LARGE},
    "BDMobileNetV2": {**_BD_NET, "stem_stride": 2, "strides": (1, 2, 2, 2, 1, 2, 1)},
    "ReActNetA": {"stem_stride": 2, "strides": _BLOCKS_LARGE},
    "BiRealNet18": {"stem_stride": 2, "strides": (1, 2, 2, 2)},
}


def defaults(model: str, image_size: int) -> dict[str, Any]:
    """The options that ``model`` has beside its width, with what suits images of that size."""
    return (_FOR_SMALL_IMAGES if image_size < SMALL else _FOR_LARGE_IMAGES)[model]


def fixed(model: str, image_size: int) -> dict[str, Any]:
    """What is no option and another for small images than the network's default."""
    return {"pool": False} if model == "BiRealNet18" and image_size < SMALL else {}
