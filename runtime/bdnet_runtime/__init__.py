"""bdnet_runtime: what a device needs to run a BD-Net: NumPy, ONNX Runtime and one library."""

from bdnet_runtime.errors import InputError
from bdnet_runtime.info import info
from bdnet_runtime.library import get_library_path
from bdnet_runtime.session import create_session
from bdnet_runtime.version import __version__

__all__ = ["InputError", "__version__", "create_session", "get_library_path", "info"]
