"""Numbers that a network's code writes out, as the plain constants they are.

torch.onnx casts such a number to the type of a value beside it, by an operator that reads the
value: ``nn.Hardtanh`` is ``Clip(t, CastLike(-1, t), CastLike(1, t))``. Then a value seems to be
read by more than one layer, and a transposition in front of the Clip cannot move behind it.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir


def spell_out_literals(graph: ir.Graph) -> None:
    """Replaces each CastLike of a known number to float32 by a Constant, in place."""
    for node in list(graph):
        if (node.domain, node.op_type) != ("", "CastLike"):
            continue
        number, like = node.inputs
        known = None if number is None else ir.convenience.get_const_tensor(number)
        if known is None or like is None or like.dtype != ir.DataType.FLOAT:
            continue
        y = node.outputs[0]
        tensor = ir.tensor(known.numpy().astype(np.float32), name=y.name)
        constant = ir.node("Constant", [], {"value": tensor}, name=f"{node.name}/Constant")
        made = constant.outputs[0]
        made.name, made.type = y.name, ir.TensorType(tensor.dtype)
        made.shape = ir.Shape(known.numpy().shape)
        y.name = None
        graph.insert_before(node, constant)
        ir.convenience.replace_all_uses_with(y, made)
        graph.remove(node, safe=True)
