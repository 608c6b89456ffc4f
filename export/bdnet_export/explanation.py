"""One sentence on why a network cannot be traced: which module, what, and what to do."""

from __future__ import annotations

import re
import traceback
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from bdnet import InputError
from bdnet_export.quiet import quiet

_BY_VALUE = ("GuardOnDataDependentSymNode", "DataDependent", "UnsupportedOperandException")


def explain(error: BaseException, network: nn.Module, examples: Sequence[Tensor]) -> str:
    """The sentence for ``error``, which torch.export or torch.onnx has raised.

    Args:
        network: which was traced, on ``examples``.
    """
    cause = _first(error)
    if isinstance(cause, InputError):
        return str(cause)
    missing = re.search(r"No ONNX function found for .*?OpOverload\(op='([^']+)'", str(error))
    if missing:
        operator = missing.group(1)
        return (
            f"{_where(_module_that_uses(operator, network, examples), network)} uses {operator}, "
            "for which ONNX has no operator; replace it by operators that ONNX has, or leave that "
            "part out of the export"
        )
    return (
        _fails_in_pytorch(network, examples)
        or _name_of_torchs_own(network)
        or _cannot_follow(cause, network)
    )


def module_of_one_batch(network: nn.Module, examples: Sequence[Tensor]) -> str:
    """The module that fails at another batch than the examples', or else the network."""
    more = [torch.cat([example, example[:1]]) for example in examples]
    _, error = _run(network, more)
    return _where(None if error is None else _failing_module(error.__traceback__, network), network)


def _where(path: str | None, network: nn.Module) -> str:
    return f"module {path}" if path else f"the network ({type(network).__name__})"


def _fails_in_pytorch(network: nn.Module, examples: Sequence[Tensor]) -> str | None:
    """Where the network does not run on such inputs at all, or returns what is no tensor."""
    returned, error = _run(network, examples)
    if error is not None:
        cause = _first(error)
        where = _where(_failing_module(cause.__traceback__, network), network)
        shapes = " and ".join(str(list(example.shape)) for example in examples)
        return (
            f"{where} fails in PyTorch itself, where the network is given float32 {shapes}: "
            f"{_first_sentence(cause)}; mend its forward, or give the shape it reads"
        )
    for leaf in pytree.tree_leaves(returned):
        if not isinstance(leaf, Tensor):
            return (
                f"the network ({type(network).__name__}) returns a value of type "
                f"{type(leaf).__name__}, and a file puts out tensors alone; return tensors, or a "
                "tuple, list or dictionary of them"
            )
    return None


def _name_of_torchs_own(network: nn.Module) -> str | None:
    """Where an attribute of the network has a name that torch.export needs for itself."""
    for name in (*network._modules, *network._parameters, *network._buffers):
        if hasattr(torch.fx.GraphModule, name) and not hasattr(nn.Module, name):
            return (
                f"the network ({type(network).__name__}) has an attribute {name!r}, a name that "
                "torch.export uses for itself; call it something else"
            )
    return None


def _cannot_follow(cause: BaseException, network: nn.Module) -> str:
    where = _where(_failing_module(cause.__traceback__, network), network)
    if any(name in type(cause).__name__ for name in _BY_VALUE):
        return (
            f"{where} cannot be traced, since what it does, such as an if or a length, depends on "
            "values that are known only when the file runs; compute both ways and choose by "
            "torch.where, or take that part out of the module"
        )
    return (
        f"{where} cannot be traced: {_first_sentence(cause)}; torch.export follows tensors, so the "
        "module's forward must not depend on their values nor leave PyTorch"
    )


def _run(network: nn.Module, examples: Sequence[Tensor]) -> tuple[Any, Exception | None]:
    """What the network returns, or what it raises."""
    try:
        with quiet(), torch.no_grad():
            return network(*(example.clone() for example in examples)), None
    except Exception as error:  # whatever a network's own code does
        return None, error


def _first(error: BaseException) -> BaseException:
    """The error that all others came from."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _failing_module(trace: TracebackType | None, network: nn.Module) -> str | None:
    """The path of the innermost module of the network in whose forward an error was raised."""
    paths: dict[int, str] = {id(module): path for path, module in network.named_modules()}
    found = None
    for frame, _ in traceback.walk_tb(trace):
        found = paths.get(id(frame.f_locals.get("self")), found)
    return found


def _module_that_uses(operator: str, network: nn.Module, examples: Sequence[Tensor]) -> str | None:
    """The path of the first module that calls ``operator``, such as ``aten.sort``."""
    try:
        with quiet(), torch.no_grad():
            program = torch.export.export(network, tuple(examples)).run_decompositions()
    except Exception:  # what is looked for is a path for a message, which can do without
        return None
    for node in program.graph.nodes:
        # The same operator may be aten's here and prims' further down.
        if operator.rpartition(".")[2] in str(node.target):
            stack: dict[str, tuple[str, Any]] = node.meta.get("nn_module_stack", {})
            return [path for path, _ in stack.values()][-1] if stack else None
    return None


def _first_sentence(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    text = lines[0].strip().rstrip(".") if lines else ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
