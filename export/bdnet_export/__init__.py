"""bdnet_export: a trained BD-Net as one ONNX file, proved equal to PyTorch."""

from bdnet_export.exporter import ExportResult, export
from bdnet_export.images import ImageSet, load_images, random_images
from bdnet_export.inspection import Inspection, inspect
from bdnet_export.report import Check, ValidationReport
from bdnet_export.source import Source, load_source
from bdnet_export.validation import validate

__all__ = [
    "Check",
    "ExportResult",
    "ImageSet",
    "Inspection",
    "Source",
    "ValidationReport",
    "export",
    "inspect",
    "load_images",
    "load_source",
    "random_images",
    "validate",
]
