"""bdnet_devices: where models are measured. The device ``local`` is this machine."""

from bdnet_devices.device import Device
from bdnet_devices.local import LocalDevice

__all__ = ["Device", "LocalDevice"]
