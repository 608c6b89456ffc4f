"""bdnet_export: a trained BD-Net as one ONNX file, proved equal to PyTorch."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bdnet_export.export_result import ExportResult
    from bdnet_export.exporter import export
    from bdnet_export.images import ImageSet, load_images, random_images
    from bdnet_export.inspection import Inspection, inspect
    from bdnet_export.module_validation import validate_module
    from bdnet_export.report import Check, ValidationReport
    from bdnet_export.source import Source, load_source
    from bdnet_export.speed import Setting, SpeedComparison, SpeedQuestion, compare_speed
    from bdnet_export.validation import validate

__all__ = [
    "Check",
    "ExportResult",
    "ImageSet",
    "Inspection",
    "Setting",
    "Source",
    "SpeedComparison",
    "SpeedQuestion",
    "ValidationReport",
    "compare_speed",
    "export",
    "inspect",
    "load_images",
    "load_source",
    "random_images",
    "validate",
    "validate_module",
]

_HOMES = {
    "Check": "report",
    "ExportResult": "export_result",
    "ImageSet": "images",
    "Inspection": "inspection",
    "Setting": "speed",
    "Source": "source",
    "SpeedComparison": "speed",
    "SpeedQuestion": "speed",
    "ValidationReport": "report",
    "compare_speed": "speed",
    "export": "exporter",
    "inspect": "inspection",
    "load_images": "images",
    "load_source": "source",
    "random_images": "images",
    "validate": "validation",
    "validate_module": "module_validation",
}


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used: the command's --help must not load PyTorch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"bdnet_export.{_HOMES[name]}"), name)
