"""bdnet: networks of binary and 1.58-bit convolutions in PyTorch, to train and to deploy."""

from importlib.metadata import PackageNotFoundError, version

from bdnet import zoo
from bdnet.checkpoint import CheckpointMetadata, load, read_metadata, save
from bdnet.count import OpCount, count_ops
from bdnet.deployment import DeployedNet, deploy, deploy_module, is_network
from bdnet.errors import InputError
from bdnet.layers import BinaryLinear, TernaryLinear
from bdnet.models import (
    BDMobileNetV1,
    BDMobileNetV2,
    BDNet,
    BiRealNet18,
    Network,
    ReActNetA,
)
from bdnet.preprocessing import Preprocessing

try:
    __version__ = version("bdnet")
except PackageNotFoundError:  # imported from a source tree that was never installed
    __version__ = "0+uninstalled"

__all__ = [
    "BDMobileNetV1",
    "BDMobileNetV2",
    "BDNet",
    "BiRealNet18",
    "BinaryLinear",
    "CheckpointMetadata",
    "DeployedNet",
    "InputError",
    "Network",
    "OpCount",
    "Preprocessing",
    "ReActNetA",
    "TernaryLinear",
    "count_ops",
    "deploy",
    "deploy_module",
    "is_network",
    "load",
    "read_metadata",
    "save",
    "zoo",
]
