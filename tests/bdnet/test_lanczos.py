"""Eigenvalues by Lanczos and power iteration, on matrices whose spectrum is known."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from bdnet.analysis import lanczos

N = 60


def quadratic(eigenvalues: Tensor) -> Callable[[Tensor], Tensor]:
    """v -> A v with these eigenvalues, in random directions."""
    generator = torch.Generator().manual_seed(7)
    n = len(eigenvalues)
    basis, _ = torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64))
    matrix = basis @ torch.diag(eigenvalues) @ basis.mT
    return lambda vector: matrix @ vector


def krylov(eigenvalues: Tensor, steps: int) -> lanczos.Krylov:
    start = lanczos.random_unit(len(eigenvalues), torch.Generator().manual_seed(0))
    return lanczos.lanczos(quadratic(eigenvalues), start, steps)


SPECTRA = {
    "definite": torch.logspace(-1, 3, N, dtype=torch.float64),
    "indefinite": torch.linspace(-2, 5, N, dtype=torch.float64) ** 3,
    # A few large ones before many near 0, as networks have.
    "outliers": torch.cat(
        [torch.linspace(-1e-3, 1e-3, N - 4), torch.tensor([-3.0, 10, 20, 40])]
    ).double(),
}


@pytest.mark.parametrize("name", SPECTRA)
def test_all_steps_find_the_whole_spectrum(name: str) -> None:
    eigenvalues = SPECTRA[name].sort().values
    found = krylov(eigenvalues, N)
    values, bounds = found.ritz()
    assert len(values) == N
    torch.testing.assert_close(values, eigenvalues, rtol=1e-8, atol=1e-9)
    assert bounds.max() == 0
    identity = torch.eye(N, dtype=torch.float64)
    torch.testing.assert_close(found.basis @ found.basis.mT, identity, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("steps", [3, 10, 25])
def test_few_steps_say_how_far_they_are_off(name: str, steps: int) -> None:
    eigenvalues = SPECTRA[name].sort().values
    values, bounds = krylov(eigenvalues, steps).ritz()
    assert len(values) == steps
    distance = (values[:, None] - eigenvalues).abs().min(dim=1).values
    assert (distance <= bounds + 1e-9).all()
    assert values[-1] <= eigenvalues[-1] + 1e-9
    assert values[0] >= eigenvalues[0] - 1e-9


def test_converged_eigenvalues_do_not_come_again() -> None:
    """What orthogonalisation against all vectors is for."""
    values, _ = krylov(SPECTRA["outliers"], 30).ritz()
    assert (values > 39).sum() == 1


def test_an_invariant_subspace_ends_it() -> None:
    values, bounds = krylov(torch.tensor([1.0, 2, 3] * 20, dtype=torch.float64), 20).ritz()
    torch.testing.assert_close(values, torch.tensor([1.0, 2, 3], dtype=torch.float64))
    assert bounds.max() == 0


def test_power_iteration_finds_the_greatest_magnitude() -> None:
    eigenvalues = torch.linspace(-9, 4, N, dtype=torch.float64)
    eigenvalues[0] = -20
    start = lanczos.random_unit(N, torch.Generator().manual_seed(1))
    value, distance = lanczos.power_iteration(quadratic(eigenvalues), start)
    assert value == pytest.approx(-20, abs=1e-4)
    assert distance <= 1e-6 * 20


@pytest.mark.parametrize("name", SPECTRA)
def test_mean_square_of_eigenvalues(name: str) -> None:
    eigenvalues = SPECTRA[name]
    exact = eigenvalues.square().mean().item()
    generator = torch.Generator().manual_seed(2)
    operator = quadratic(eigenvalues)
    whole, bulk = lanczos.mean_squares(operator, krylov(eigenvalues, N), 1, generator)
    assert whole == pytest.approx(exact)
    assert bulk == 0
    guessed, _ = lanczos.mean_squares(operator, krylov(eigenvalues, 12), 20, generator)
    assert guessed == pytest.approx(exact, rel=0.15)


def test_mean_square_of_the_bulk() -> None:
    """Once Lanczos has singled out the large eigenvalues, what is left are the small ones."""
    eigenvalues = SPECTRA["outliers"]
    found = krylov(eigenvalues, 12)
    generator = torch.Generator().manual_seed(3)
    _, bulk = lanczos.mean_squares(quadratic(eigenvalues), found, 40, generator)
    assert bulk == pytest.approx(eigenvalues[:-4].square().mean().item(), rel=0.3)
