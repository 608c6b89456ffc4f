"""Constants of the deployment form: folded and checked once, and their digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from bdnet.errors import InputError


def fold_bn(
    bn: nn.BatchNorm1d | nn.BatchNorm2d, bias: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """BN as y = x * mul + add: mul = gamma / sqrt(var + eps), add = beta - mean * mul.

    Args:
        bias: what a convolution in front adds to its sums, or to them and a residual: BN takes it
            in, as if the mean were less by it.
    """
    if bn.running_mean is None or bn.running_var is None:
        raise InputError(
            "a batch normalisation without running statistics cannot be deployed; "
            "train it with track_running_stats=True"
        )
    mul = 1 / torch.sqrt(bn.running_var.detach().double() + bn.eps)
    if bn.affine:
        mul = bn.weight.detach().double() * mul
    mean = bn.running_mean.detach().double()
    add = (-mean if bias is None else bias.detach().double() - mean) * mul
    if bn.affine:
        add = bn.bias.detach().double() + add
    return mul.float(), add.float()


def require_type(module: nn.Module, *known: type[nn.Module]) -> None:
    """Refuses what would be deployed as something it is not: a subclass may compute otherwise."""
    if type(module) not in known:
        names = " or ".join(kind.__name__ for kind in known)
        raise InputError(
            f"a {type(module).__name__} has no deployment form; use {names}, not a subclass"
        )


def require_finite(what: str, module: nn.Module) -> None:
    for name, tensor in module.state_dict().items():
        if not tensor.is_floating_point():
            continue
        if tensor.dtype != torch.float32:
            raise InputError(
                f"{name} of {what} is {tensor.dtype}; expected float32: call model.float()"
            )
        if not bool(torch.isfinite(tensor).all()):
            raise InputError(
                f"{name} of {what} is not finite; the training has diverged or the checkpoint is "
                "damaged"
            )


def constants_digest(constants: Iterator[tuple[str, str, tuple[int, ...], bytes]]) -> str:
    """SHA-256 over (path, dtype name, shape, little-endian bytes), in the order given."""
    sha = hashlib.sha256()
    for name, dtype, shape, content in constants:
        sha.update(f"{name}\0{dtype}\0{list(shape)}\0".encode())
        sha.update(content)
    return sha.hexdigest()
