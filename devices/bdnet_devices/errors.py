"""The exceptions that mean: a device does not do what it was asked to."""

from __future__ import annotations

from bdnet_runtime import InputError


class DeviceError(InputError):
    """One sentence that begins with the device's name and ends with what to do."""


class ProcessEndedError(RuntimeError):
    """A process on a device has ended before its time, and did not say why."""
