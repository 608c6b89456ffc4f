"""The Hessian of float networks is PyTorch's; that of networks of signs is a smooth function's."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bdnet import layers, quantize
from bdnet.analysis import curvature, experiment, lanczos
from bdnet.analysis.experiment import RESIDUALS, Settings
from bdnet.analysis.surrogate import twice_differentiable
from bdnet.models import BDNet
from bdnet.units import Residual

# Strides, channels that double, that are repeated in part and that are averaged.
SETTINGS = Settings(channels=(3, 6, 7, 4), strides=(2, 1, 1))


def network(residual: Residual) -> BDNet:
    model = experiment.build(SETTINGS, residual, "ternary", "binary", seed=3).double()
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter += 0.1 * noise
    return model


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    images = torch.randn(6, 1, 10, 10, generator=generator, dtype=torch.float64)
    return images, torch.arange(6)


class Parabolas:
    """What stands for quantisers in the smooth loss: parabolas about points that are kept."""

    def __init__(self) -> None:
        self._kept: list[Tensor] = []
        self._again: Iterator[Tensor] | None = None

    def again(self) -> None:
        """From now on the kept points, in their order."""
        self._again = iter(self._kept)

    def _point(self, x: Tensor) -> Tensor:
        if self._again is not None:
            return next(self._again)
        self._kept.append(x.detach().clone())
        return self._kept[-1]

    def activation(self, x: Tensor) -> Tensor:
        x0 = self._point(x)
        inside = (x0.abs() < 1).double()
        slope, bend = inside * (2 - 2 * x0.abs()), -2 * inside * x0.sign()
        return quantize.signs(x0) + slope * (x - x0) + bend / 2 * (x - x0) ** 2

    def weight(self, of: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        def parabola(weight: Tensor) -> Tensor:
            w0 = self._point(weight)
            return of(w0) + weight - w0

        return parabola

    def scale(self, weight: Tensor) -> Tensor:
        return self._point(quantize.weight_scale(weight))


@pytest.mark.parametrize("residual", RESIDUALS)
def test_it_is_the_hessian_of_the_smooth_loss(
    residual: Residual, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Products by double backward against differences of the smooth loss's gradient."""
    model = network(residual)
    images, labels = batch()
    operator = curvature.training_hessian(model, [images], [labels])
    direction = lanczos.random_unit(operator.size, torch.Generator().manual_seed(6))
    product = operator(direction)

    model = twice_differentiable(model)
    parameters = list(model.parameters())
    start = nn.utils.parameters_to_vector(parameters).detach()
    parabolas = Parabolas()
    monkeypatch.setattr(layers, "sign_activation", parabolas.activation)
    monkeypatch.setattr(layers, "binary_weight", parabolas.weight(quantize.binary_weight))
    monkeypatch.setattr(layers, "ternary_weight", parabolas.weight(quantize.ternary_weight))
    monkeypatch.setattr(layers, "weight_scale", parabolas.scale)
    loss = F.cross_entropy(model(images), labels)
    assert loss.item() == pytest.approx(operator.loss, rel=1e-12)

    def gradient(moved: Tensor) -> Tensor:
        nn.utils.vector_to_parameters(moved, parameters)
        parabolas.again()
        loss = F.cross_entropy(model(images), labels)
        return nn.utils.parameters_to_vector(torch.autograd.grad(loss, parameters)).detach()

    step = 1e-6
    difference = gradient(start + step * direction) - gradient(start - step * direction)
    torch.testing.assert_close(product, difference / (2 * step), rtol=1e-5, atol=1e-7)
    # Without the bend of an activation's parabola it would be another matrix.
    assert product.norm() > 1e-3


@pytest.mark.parametrize("residual", RESIDUALS)
def test_it_is_symmetric(residual: Residual) -> None:
    operator = curvature.training_hessian(network(residual), *([x] for x in batch()))
    generator = torch.Generator().manual_seed(8)
    u, v = (lanczos.random_unit(operator.size, generator) for _ in range(2))
    assert float(u @ operator(v)) == pytest.approx(float(v @ operator(u)), rel=1e-9)


def test_the_copy_has_the_same_loss_and_gradient() -> None:
    model = network("pre_bn").train()
    images, labels = batch()
    found = []
    for each in (model, twice_differentiable(model)):
        loss = F.cross_entropy(each(images), labels)
        names, parameters = zip(*each.named_parameters(), strict=True)
        gradients = torch.autograd.grad(loss, parameters)
        found.append({"loss": loss.detach(), **dict(zip(names, gradients, strict=True))})
    assert found[0].keys() == found[1].keys()
    for name, value in found[0].items():
        torch.testing.assert_close(found[1][name], value, rtol=1e-9, atol=1e-12)


def test_a_float_network_has_pytorchs_hessian() -> None:
    torch.manual_seed(9)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    images = torch.randn(7, 4, dtype=torch.float64)
    labels = torch.randint(3, (7,))
    operator = curvature.training_hessian(model, [images], [labels])
    shapes = {name: p.shape for name, p in model.named_parameters()}
    sizes = [shape.numel() for shape in shapes.values()]

    def loss(vector: Tensor) -> Tensor:
        pieces = vector.split(sizes)
        parameters = {
            name: piece.view(shape)
            for (name, shape), piece in zip(shapes.items(), pieces, strict=True)
        }
        return F.cross_entropy(torch.func.functional_call(model, parameters, images), labels)

    vector = nn.utils.parameters_to_vector(model.parameters()).detach()
    expected = torch.func.hessian(loss)(vector)
    columns = [operator(unit) for unit in torch.eye(operator.size, dtype=torch.float64)]
    torch.testing.assert_close(torch.stack(columns), expected, rtol=1e-9, atol=1e-12)
    start = lanczos.random_unit(operator.size, torch.Generator().manual_seed(0))
    eigenvalues = torch.linalg.eigvalsh(expected)
    assert float(lanczos.lanczos(operator, start, 30).ritz()[0][-1]) == pytest.approx(
        float(eigenvalues[-1]), rel=1e-6
    )
    value, _ = lanczos.power_iteration(operator, start)
    assert abs(value) == pytest.approx(float(eigenvalues.abs().max()), rel=1e-6)


def test_several_batches_are_a_mean() -> None:
    model = network("post_bn")
    images, labels = batch()
    halves = curvature.training_hessian(model, [images[:3], images[3:]], [labels[:3], labels[3:]])
    vector = lanczos.random_unit(halves.size, torch.Generator().manual_seed(10))
    products = [
        curvature.training_hessian(model, [images[part]], [labels[part]])(vector)
        for part in (slice(0, 3), slice(3, 6))
    ]
    torch.testing.assert_close(halves(vector), sum(products) / 2, rtol=1e-9, atol=1e-12)
