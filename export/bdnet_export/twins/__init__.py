"""Twins of an exported network: what a user would otherwise deploy in its place.

A twin has the same layers, channels, strides and image size, and ordinary arithmetic. It is there
to be measured beside the network, so its weights are random.
"""

from bdnet_export.twins.float_twin import float_twin
from bdnet_export.twins.int8_twin import int8_twin
from bdnet_export.twins.lite_twin import lite_twin

__all__ = ["float_twin", "int8_twin", "lite_twin"]
