"""Sound models to mutate: small networks as exported, and each operator by itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

import bdnet_export
from support.networks import TINY_SHAPE, tiny_network
from support.operator_cases import (
    Case,
    one_node_model,
    ordered_conv_case,
    ordered_pool_case,
    ordered_stem_case,
    separable_block_case,
    sign_conv_case,
    sign_linear_case,
)

EXPORTS: dict[str, dict[str, Any]] = {"fused": {}, "unfused": {"fuse": False}}


def base_models(folder: Path) -> dict[str, bytes]:
    """Models by name, each with the bodies of its operators."""
    rng = np.random.default_rng(20240611)
    cases: list[Case] = [
        sign_conv_case(rng, ternary=False, channels=9, filters=5),
        sign_conv_case(rng, ternary=True, channels=1, filters=1, group=19),
        sign_linear_case(rng, ternary=False, channels=33, filters=9, rows=(3,)),
        sign_linear_case(rng, ternary=True, channels=17, filters=5, rows=(2, 3)),
        ordered_conv_case(rng, channels=3, filters=7),
        ordered_pool_case(rng, channels=5),
        ordered_stem_case(rng, channels=3, filters=8),
        separable_block_case(rng, channels=9, filters=18),
    ]
    models = {case.operator: one_node_model(case).SerializeToString() for case in cases}
    for name, options in EXPORTS.items():
        path = folder / f"{name}.onnx"
        bdnet_export.export(tiny_network(), path, input_shape=TINY_SHAPE, **options)
        models[name] = path.read_bytes()
    return models


def main() -> None:
    """Writes the models into a folder: ``python -m fuzz.base_models FOLDER``."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, model in base_models(folder).items():
        (folder / f"{name}.onnx").write_bytes(model)


if __name__ == "__main__":
    main()
