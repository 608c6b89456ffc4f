"""The exception that means: a device does not do what it was asked to."""

from __future__ import annotations

from bdnet_runtime import InputError


class DeviceError(InputError):
    """One sentence that begins with the device's name and ends with what to do."""
