"""The networks, each in its own file."""

from bdnet.models.base import BDNet
from bdnet.models.mobilenet_v1 import BDMobileNetV1

__all__ = ["BDMobileNetV1", "BDNet"]
