"""Eigenvalues of a symmetric operator that can only be multiplied by: Lanczos, power iteration.

Vectors are float64 [n]; the operator may be less accurate than that.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Operator = Callable[[Tensor], Tensor]
"""v -> A v, both float64 [n], A symmetric."""


@dataclass(frozen=True)
class Krylov:
    """What m steps of Lanczos know of A: A basis^T = basis^T T + the rest, beta in the last column.

    Args:
        basis: orthonormal rows [m, n].
        diagonal, beside: of the tridiagonal T = basis A basis^T: [m] and [m - 1].
        beta: norm of the rest; 0 where the basis spans an invariant subspace.
    """

    basis: Tensor
    diagonal: Tensor
    beside: Tensor
    beta: float

    @property
    def tridiagonal(self) -> Tensor:
        beside = torch.diag_embed(self.beside, 1)
        return torch.diag_embed(self.diagonal) + beside + beside.mT

    def ritz(self) -> tuple[Tensor, Tensor]:
        """The Ritz values, ascending, and how far an eigenvalue is from each at most: [m], [m].

        The greatest is never above A's greatest eigenvalue, the least never below its least.
        """
        values, vectors = torch.linalg.eigh(self.tridiagonal)
        return values, self.beta * vectors[-1].abs()


def random_unit(size: int, generator: torch.Generator) -> Tensor:
    """A unit vector in a direction of uniform distribution, float64 [size]."""
    vector = torch.randn(size, generator=generator, dtype=torch.float64)
    unit: Tensor = vector / vector.norm()
    return unit


def lanczos(operator: Operator, start: Tensor, steps: int) -> Krylov:
    """``steps`` steps from the unit vector ``start``, fewer where they reach an invariant subspace.

    Each new vector is made orthogonal to all before it, twice: the bare three-term recurrence loses
    orthogonality as soon as a Ritz value has converged, and finds that eigenvalue again and again.
    """
    basis = start.new_empty(min(steps, start.numel()), start.numel())
    diagonal: list[Tensor] = []
    beside: list[Tensor] = []
    vector = start
    for step in range(len(basis)):
        basis[step] = vector
        image = operator(vector)
        diagonal.append(vector @ image)
        size = image.norm()
        known = basis[: step + 1]
        for _ in range(2):
            image = image - (known @ image) @ known
        beside.append(image.norm())
        # What is left is rounding of the products, not a direction.
        if beside[-1] <= 1e-10 * size or step + 1 == start.numel():
            beside[-1] = torch.zeros_like(size)
            break
        vector = image / beside[-1]
    m = len(diagonal)
    return Krylov(basis[:m], torch.stack(diagonal), torch.stack(beside)[: m - 1], float(beside[-1]))


def power_iteration(
    operator: Operator, start: Tensor, tolerance: float = 1e-6, steps: int = 1000
) -> tuple[float, float]:
    """The eigenvalue of greatest magnitude, and how far an eigenvalue is from it at most.

    Args:
        start: a unit vector.
        tolerance: it stops where that distance is below this share of the eigenvalue,
        steps: or after so many products.
    """
    vector, value, distance = start, 0.0, math.inf
    for _ in range(steps):
        image = operator(vector)
        value = float(vector @ image)
        distance = float((image - value * vector).norm())
        if distance <= tolerance * abs(value):
            break
        vector = image / image.norm()
    return value, distance


def mean_squares(
    operator: Operator, krylov: Krylov, probes: int, generator: torch.Generator
) -> tuple[float, float]:
    """The mean square of all n eigenvalues, tr(A^2) / n, and that of the bulk.

    What the basis spans is exact, |A basis^T|^2 = |T|^2 + beta^2. The rest is estimated by random
    probes orthogonal to it (Meyer et al., Hutch++, 2021); large eigenvalues, which would make the
    estimate of bare probes vary, are in the exact part.

    Args:
        krylov: m steps with the same operator.
        probes: random vectors, a product each.

    Returns:
        tr(A^2) / n, and |A P|^2 / (n - m) with P the projection beside the basis, Frobenius' norm:
        the mean square of the other eigenvalues where the basis spans m eigenvectors, else more.
        The latter is 0 for m = n.
    """
    m, n = krylov.basis.shape
    exact = float(krylov.tridiagonal.square().sum()) + krylov.beta**2
    if m == n:
        return exact / n, 0.0
    rest = 0.0
    for _ in range(probes):
        probe = torch.randn(n, generator=generator, dtype=torch.float64)
        probe = probe - (krylov.basis @ probe) @ krylov.basis
        rest += float(operator(probe).square().sum()) / probes
    return (exact + rest) / n, rest / (n - m)
