"""bdnet_export: a trained BD-Net as one ONNX file, proved equal to PyTorch."""

from bdnet_export.exporter import ExportResult, export

__all__ = ["ExportResult", "export"]
