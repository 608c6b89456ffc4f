"""bdnet_devices: where models are measured. The device ``local`` is this machine."""

from bdnet_devices.device import Device, TurnTaker
from bdnet_devices.local import LocalDevice
from bdnet_devices.ratios import Ratio, round_medians
from bdnet_devices.remote import open_device
from bdnet_devices.turns import Contestant, take_turns

__all__ = [
    "Contestant",
    "Device",
    "LocalDevice",
    "Ratio",
    "TurnTaker",
    "open_device",
    "round_medians",
    "take_turns",
]
