"""Where a training runs: one process or several, on the CPU or on GPUs, in which precision.

Accelerate does this part. The loop stays ours, since what it promises (the same bits after an
interruption) depends on every line of it; devices, gradients over processes, autocast and loss
scaling do not.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState
from torch import nn

from bdnet.errors import InputError
from bdnet.training.recipe import Recipe

_PRECISIONS = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}


def start(recipe: Recipe) -> Accelerator:
    """Joins the processes that ``accelerate launch`` or ``torchrun`` started, or is the only one.

    Raises:
        InputError: the precision is not to be had here, or the processes cannot share a batch.
    """
    gpu = torch.cuda.is_available()
    if recipe.precision == "float16" and not gpu:
        # Accelerate would compute in float32 without a word.
        raise InputError("--precision is float16, which needs a GPU: use bfloat16 or float32")
    # Accelerate keeps one precision for the whole program; here it belongs to a training.
    AcceleratorState._reset_state()
    # Apple's GPUs have no float64, which constants are computed in.
    accelerator = Accelerator(cpu=not gpu, mixed_precision=_PRECISIONS[recipe.precision])
    if recipe.batch_size % accelerator.num_processes:
        raise InputError(
            f"--batch-size is {recipe.batch_size}; it must be a multiple of the "
            f"{accelerator.num_processes} processes"
        )
    torch.set_num_threads(recipe.threads)
    return accelerator


def parallel(model: nn.Module, accelerator: Accelerator) -> nn.Module:
    """``model`` with its gradients averaged over the processes; itself where there is one."""
    prepared: nn.Module = accelerator.prepare_model(model)
    # The loop enters autocast itself, so that evaluation does without it.
    accelerator.unwrap_model(prepared, keep_fp32_wrapper=False)
    vars(model).pop("forward", None)
    return prepared


def leave() -> bool:
    """Ends the work in common. Returns whether this process is the one that writes files."""
    state = PartialState()
    state.wait_for_everyone()
    state.destroy_process_group()
    return bool(state.is_main_process)


def end(status: int) -> NoReturn:
    """Ends this process, the way that suits one of several.

    Threads of PyTorch's communication may outlive it when the interpreter takes itself apart: now
    and then that aborts a process whose work is done, and its launcher then ends the others.
    """
    if "WORLD_SIZE" in os.environ:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
