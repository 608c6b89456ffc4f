"""The networks, each in its own file."""

from bdnet.models.base import BDNet, Network
from bdnet.models.bireal import BiRealNet18
from bdnet.models.mobilenet_v1 import BDMobileNetV1
from bdnet.models.mobilenet_v2 import BDMobileNetV2
from bdnet.models.reactnet import ReActNetA

NETWORKS: dict[str, type[Network]] = {
    network.__name__: network for network in (BDMobileNetV1, BDMobileNetV2, ReActNetA, BiRealNet18)
}
"""The networks by name, as checkpoints and commands call them."""

__all__ = [
    "NETWORKS",
    "BDMobileNetV1",
    "BDMobileNetV2",
    "BDNet",
    "BiRealNet18",
    "Network",
    "ReActNetA",
]
