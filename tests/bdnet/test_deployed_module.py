"""Any module in its deployment form: which of its modules are replaced."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune
from torch.nn.utils.parametrizations import spectral_norm, weight_norm
from torch.nn.utils.parametrize import is_parametrized

import bdnet
from bdnet import InputError
from bdnet.deployment import DeployedUnit
from bdnet.layers import BinaryConv2d, RPReLU, Shortcut, TernaryConv2d
from bdnet.units import Head, SignUnit, Stem


def _unit() -> SignUnit:
    return SignUnit(BinaryConv2d(4, 4, 3, 1, 1))


class _TwoNames(nn.Module):
    """One unit under two names, and once more below another module."""

    def __init__(self) -> None:
        super().__init__()
        self.first = _unit()
        self.second = self.first
        self.below = nn.Sequential(self.first, nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return self.below(self.second(self.first(x)))  # type: ignore[no-any-return]


def test_a_unit_in_several_places_is_replaced_in_all_and_stays_one() -> None:
    model = _TwoNames().eval()
    before = copy.deepcopy(model.state_dict())
    deployed = bdnet.deploy_module(model)
    places = [deployed.first, deployed.second, deployed.below[0]]  # type: ignore[index]
    assert all(isinstance(place, DeployedUnit) for place in places)
    assert places[0] is places[1] is places[2]
    x = torch.randn(2, 4, 5, 5)
    torch.testing.assert_close(deployed(x), model(x))
    assert isinstance(model.second, SignUnit)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_one_unit_in_sequence_with_itself() -> None:
    unit = _unit()
    deployed = bdnet.deploy_module(nn.Sequential(unit, unit))
    assert isinstance(deployed, nn.Sequential)
    assert isinstance(deployed[0], DeployedUnit)
    assert deployed[0] is deployed[1]


class _OwnNorm(nn.BatchNorm2d):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + 1


def test_a_users_own_normalisation_stays_as_it_is() -> None:
    model = nn.Sequential(_unit(), _OwnNorm(4)).eval()
    x = torch.randn(2, 4, 5, 5)
    torch.testing.assert_close(bdnet.deploy_module(model)(x), model(x))


class _OwnShortcut(Shortcut):
    pass


class _OwnRPReLU(RPReLU):
    pass


@pytest.mark.parametrize("module", [_OwnShortcut(4, 4), _OwnRPReLU(4)])
def test_a_subclass_of_ours_is_refused_with_its_path(module: nn.Module) -> None:
    with pytest.raises(InputError, match=r"^1\.0: a _Own\w+ has no deployment form"):
        bdnet.deploy_module(nn.Sequential(_unit(), nn.Sequential(module)))


class _OwnHead(Head):
    def forward(self, features: Tensor) -> Tensor:
        return super().forward(features) * 2


def test_a_network_with_a_head_of_its_own_is_no_plain_one() -> None:
    stem, body = Stem(3, 4), nn.Sequential(_unit())
    assert bdnet.is_network(bdnet.BDNet(stem, body, Head(4, 2)))
    assert not bdnet.is_network(bdnet.BDNet(stem, body, _OwnHead(4, 2)))


class Computed(nn.Module):
    """Layers of ours whose weights are computed from others, and what a forward left behind."""

    def __init__(self) -> None:
        super().__init__()
        self.normed = weight_norm(BinaryConv2d(6, 6, 1))
        self.unit = SignUnit(spectral_norm(BinaryConv2d(6, 6, 3, 1, 1)))
        self.pruned = TernaryConv2d(6, 4, 1)
        prune.l1_unstructured(self.pruned, "weight", 0.5)
        self.last: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        self.last = self.pruned(self.unit(self.normed(x)))
        return self.last


WRAPPED = ["plain", "data parallel", "compiled"]


@pytest.mark.parametrize("wrap", [nn.Module.eval, nn.DataParallel, torch.compile], ids=WRAPPED)
def test_computed_weights_and_wrappers_are_taken_as_they_are(
    wrap: Callable[[nn.Module], nn.Module],
) -> None:
    torch.manual_seed(0)
    model = Computed()
    x = torch.randn(2, 6, 5, 5)
    model(x).sum().backward()
    model.eval()
    with torch.no_grad():
        expected = model(x)
    model.last = model(x)  # of a graph of gradients, which cannot be copied
    deployed = bdnet.deploy_module(wrap(model))
    torch.testing.assert_close(deployed(x), expected)
    # The trained module is left as it is.
    assert is_parametrized(model.normed)
    assert prune.is_pruned(model.pruned)
    assert torch.equal(model(x), expected)


def test_what_cannot_be_copied_is_told() -> None:
    model = nn.Sequential(_unit())
    model.lock = threading.Lock()
    with pytest.raises(InputError, match=r"the network \(Sequential\) cannot be copied"):
        bdnet.deploy_module(model)
