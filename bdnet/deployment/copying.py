"""A copy of a trained network to make the deployment form of, and what cannot be copied so."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from bdnet.errors import InputError

Module = TypeVar("Module", bound=nn.Module)

_QUANTISED = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized", "torch.nn.quantized")


def unwrapped(model: nn.Module) -> nn.Module:
    """The module inside of torch.compile, DataParallel and DistributedDataParallel, or itself."""
    while True:
        if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            model = model.module
        elif "_orig_mod" in model._modules:  # torch.compile's OptimizedModule has no public home
            model = model._modules["_orig_mod"]  # type: ignore[assignment]
        else:
            return model


def plain_copy(model: Module) -> Module:
    """A copy on the CPU, in evaluation mode, whose weights are parameters or tensors and no more.

    Weights that are computed from others (parametrisations, pruning, weight and spectral norms)
    become what they are in evaluation mode.

    Raises:
        InputError: a part of it has no weights to copy, such as a lazy or a quantised one; with its
            path.
    """
    for path, module in model.named_modules():
        reason = _refusal(module)
        if reason is not None:
            raise InputError(f"{path or 'the network'} {reason}")
    # What a forward has left behind, and computed weights, are part of a graph of gradients.
    memo: dict[int, Any] = {
        id(value): value.detach().clone()
        for module in model.modules()
        for value in vars(module).values()
        if isinstance(value, Tensor) and not value.is_leaf
    }
    try:
        copied = copy.deepcopy(model, memo)
    except Exception as error:  # whatever a user's module holds
        raise InputError(
            f"the network ({type(model).__name__}) cannot be copied "
            f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}); take "
            "out what is no part of it, such as an open file or a lock"
        ) from error
    copied = copied.cpu().eval()
    with torch.no_grad():
        for module in copied.modules():
            _settle(module)
    return copied


def require_own_forward(module: nn.Module, path: str) -> None:
    """Raises `InputError` where ``module``, or one in it, computes more than its class says."""
    for name, part in module.named_modules():
        where = ".".join(filter(None, (path, name))) or "the network"
        if part._forward_hooks or part._forward_pre_hooks:
            raise InputError(
                f"{where} ({type(part).__name__}) has a forward hook, which its deployment form "
                "would lose; remove it before the export"
            )
        if "forward" in vars(part):
            raise InputError(
                f"{where} ({type(part).__name__}) was given another forward, which its deployment "
                "form would lose; put what it does into a module of your own around the layer"
            )


def _refusal(module: nn.Module) -> str | None:
    """Why a module cannot be deployed, whatever is around it."""
    name = type(module).__name__
    if isinstance(module, nn.modules.lazy.LazyModuleMixin) and module.has_uninitialized_params():
        return (
            f"({name}) has no weights yet, since it has seen no input; run one batch through the "
            "network, then export"
        )
    if isinstance(module, torch.jit.ScriptModule):
        return (
            "is compiled by TorchScript, which torch.export does not read; export the module that "
            "it was made from"
        )
    if type(module).__module__.startswith(_QUANTISED):
        return (
            f"({name}) is quantised by PyTorch, which has no form in ONNX; export the float "
            "module, and give --classifier int8 for int8 weights behind the last sign"
        )
    return None


def _settle(module: nn.Module) -> None:
    """Makes weights that are computed from others what they are now."""
    if parametrize.is_parametrized(module):
        # Not remove_parametrizations, which changes the class, and so the trained module as well.
        names = list(module.get_submodule("parametrizations")._modules)
        values = {name: getattr(module, name).detach().clone() for name in names}
        module.__class__ = type(module).__bases__[0]
        del module._modules["parametrizations"]
        for name, value in values.items():
            module.register_parameter(name, nn.Parameter(value))
    for hook in list(module._forward_pre_hooks.values()):
        if isinstance(hook, prune.BasePruningMethod):
            prune.remove(module, hook._tensor_name)
        elif isinstance(hook, WeightNorm):
            remove_weight_norm(module, hook.name)
        elif isinstance(hook, SpectralNorm):
            remove_spectral_norm(module, hook.name)
