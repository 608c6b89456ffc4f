"""Many measurements from one file: models by devices by threads, each ``bdnet-export bench``."""

from bdnet_export.matrix.cells import Cell, cells_of
from bdnet_export.matrix.config import Matrix, load_matrix
from bdnet_export.matrix.running import MatrixRun, Outcome, Step, hold, lanes_of, read_outcome

__all__ = [
    "Cell",
    "Matrix",
    "MatrixRun",
    "Outcome",
    "Step",
    "cells_of",
    "hold",
    "lanes_of",
    "load_matrix",
    "read_outcome",
]
