"""From a module in its deployment form to a graph of bare nodes, by torch.export and torch.onnx."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bdnet import InputError
from bdnet_export.dynamic_size import open_lengths, require_any_size
from bdnet_export.explanation import explain, module_of_one_batch
from bdnet_export.quiet import quiet
from bdnet_export.translation import translation_table


def trace(
    network: nn.Module,
    examples: Sequence[Tensor],
    opset: int,
    input_names: Sequence[str],
    output_names: Sequence[str] | None,
    *,
    dynamic_batch: bool,
    dynamic_size: bool = False,
) -> torch.onnx.ONNXProgram:
    """Traces ``network`` on ``examples``; nothing is optimised, so values keep their names.

    Args:
        examples: one tensor an input; where the batch is dynamic, of 2 images, since torch.export
            takes an example batch of 1 for a constant.
        dynamic_size: height and width of every image, [N, C, H, W], are open.
        output_names: None for torch.onnx's own.

    Raises:
        InputError: the network cannot be traced or holds what has no operator: which module, what,
            and what to do.
    """
    lengths = open_lengths(examples, batch=dynamic_batch, size=dynamic_size)
    try:
        with quiet(), torch.no_grad():
            program = torch.onnx.export(
                network,
                tuple(examples),
                dynamo=True,
                # The optimiser would merge constants that happen to be equal, and rename them.
                optimize=False,
                opset_version=opset,
                custom_translation_table=translation_table(),
                dynamic_shapes=lengths,
                input_names=list(input_names),
                output_names=None if output_names is None else list(output_names),
                verbose=False,
            )
    except InputError:
        raise
    except Exception as error:  # whatever a network's own code does, and torch.onnx's many kinds
        raise InputError(explain(error, network, examples)) from error
    if program is None:
        raise RuntimeError("torch.onnx.export returned no program")
    # Where a network fixes the batch, torch.onnx falls back to a program that has it fixed, too.
    shapes = [value.shape for value in program.model.graph.inputs]
    if dynamic_batch and any(shape is None or isinstance(shape[0], int) for shape in shapes):
        raise InputError(
            f"{module_of_one_batch(network, examples)} works for one batch size only, as where a "
            "forward reshapes to lengths that are written out, or goes through the images in a "
            "loop; write it for any batch, or export with --batch N"
        )
    if not program.model.graph.outputs:
        raise InputError(
            f"the network ({type(network).__name__}) returns no tensor, so a file of it would have "
            "no output; let its forward return one"
        )
    if dynamic_size and program.exported_program is not None:
        require_any_size(program.exported_program, type(network).__name__)
    return program
