"""Where the custom-operator library is."""

import sys
from importlib.resources import files

from bdnet_runtime.errors import InputError

LIBRARY_NAME = "libbdnet_ort.dylib" if sys.platform == "darwin" else "libbdnet_ort.so"


def get_library_path() -> str:
    """The path for ``onnxruntime.SessionOptions.register_custom_ops_library``.

    Raises:
        InputError: this installation has no library: bdnet was imported from a source tree.
    """
    # Through importlib.resources and not __file__: in an editable install the Python files are
    # in the source tree and the library is in site-packages, and only the loader knows both.
    library = files(__package__) / LIBRARY_NAME
    if not library.is_file():
        raise InputError(
            f"{LIBRARY_NAME} is not beside bdnet_runtime ({library}); build it with "
            "'pip install .' in bdnet's source folder, or run without the library"
        )
    return str(library)
