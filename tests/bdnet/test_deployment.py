"""The deployment form: what it computes, and that nothing about a machine shows in it."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import bdnet
from bdnet import InputError
from bdnet.layers import BinaryConv2d, TernaryConv2d
from bdnet.models.base import BDNet
from bdnet.units import Head, SignUnit, Stem
from support.networks import TINY_SHAPE, small_mobilenet, tiny_network
from support.operator_cases import assert_equal


@pytest.mark.parametrize("residual", ["pre_bn", "post_bn", "none"])
@pytest.mark.parametrize("activation", ["rprelu", "prelu", "relu", "none"])
def test_it_computes_what_was_trained(residual: str, activation: str) -> None:
    network = tiny_network(residual=residual, activation=activation)
    x = torch.randn(4, *TINY_SHAPE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        trained = network.features(x).permute(0, 2, 3, 1)
        deployed = bdnet.deploy(network).features(x)
    # One flipped sign moves a value by about its scale, so most must agree closely.
    close = torch.isclose(trained, deployed, rtol=1e-4, atol=1e-4)
    assert close.float().mean() > 0.98


def _unit_by_hand(unit: SignUnit, x: np.ndarray) -> np.ndarray:
    """A depth-wise 3x3 unit of the contract, from the latent weights, one value at a time."""
    f32 = np.float32
    conv, bn = unit.conv, unit.bn
    latent = conv.weight.detach().numpy().astype(np.float64)[:, 0]
    channels, height, width = x.shape[1:]
    scale = f32(np.abs(latent).mean((1, 2)))
    d = f32(0.5 * np.abs(latent).mean((1, 2)))
    mul64 = bn.weight.detach().double().numpy() / np.sqrt(
        bn.running_var.double().numpy() + bn.eps  # type: ignore[union-attr]
    )
    add64 = bn.bias.detach().double().numpy() - bn.running_mean.double().numpy() * mul64  # type: ignore[union-attr]
    act = unit.activation
    out = np.zeros_like(x)
    shifted = x + conv.shift.detach().numpy().reshape(1, -1, 1, 1)  # type: ignore[union-attr]
    for c in range(channels):
        w = conv.weight.detach().numpy()[c, 0]
        ternary = (np.where(w >= d[c], 1, -1) + np.where(w >= -d[c], 1, -1)) // 2
        for i in range(height):
            for j in range(width):
                total = 0
                for ky in range(3):
                    for kx in range(3):
                        y, z = i + ky - 1, j + kx - 1
                        if 0 <= y < height and 0 <= z < width:
                            total += ternary[ky, kx] * (1 if shifted[0, c, y, z] >= 0 else -1)
                t = f32(total) * scale[c]
                t = t + x[0, c, i, j]
                t = t * f32(mul64[c])
                t = t + f32(add64[c])
                t = t + act.shift_in.detach().numpy()[c]
                t = t if t >= 0 else t * act.slope.detach().numpy()[c]
                out[0, c, i, j] = t + act.shift_out.detach().numpy()[c]
    return out


def test_a_unit_follows_the_contract_step_by_step() -> None:
    unit = tiny_network(seed=5).body[1].depthwise
    assert isinstance(unit, SignUnit)
    x = torch.randn(1, 17, 6, 5, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        deployed = bdnet.deployment.DeployedUnit(unit)(x.permute(0, 2, 3, 1))
    np.testing.assert_array_equal(
        deployed.permute(0, 3, 1, 2).numpy(), _unit_by_hand(unit, x.numpy())
    )


def test_memory_format_and_threads_change_no_constant() -> None:
    network = small_mobilenet(seed=2)
    digest = bdnet.deploy(network).digest()
    channels_last = copy.deepcopy(network).to(memory_format=torch.channels_last)
    assert bdnet.deploy(channels_last).digest() == digest
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert bdnet.deploy(network).digest() == digest
    finally:
        torch.set_num_threads(threads)


def test_features_do_not_depend_on_batch_or_backend() -> None:
    deployed = bdnet.deploy(small_mobilenet(seed=2))
    x = torch.randn(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        together = deployed.features(x)
        for index in range(3):
            assert torch.equal(deployed.features(x[index : index + 1])[0], together[index])
        with torch.backends.mkldnn.flags(enabled=False):
            assert torch.equal(deployed.features(x), together)


def test_the_oldest_vector_instructions_give_the_same_features(tmp_path: Path) -> None:
    network = small_mobilenet(seed=2)
    x = torch.randn(3, 1, 28, 28)
    # Both travel in files: torch.randn itself depends on the vector instructions.
    bdnet.save(network, tmp_path / "m.safetensors")
    np.save(tmp_path / "x.npy", x.numpy())
    code = (
        "import bdnet, numpy, torch;"
        "deployed = bdnet.deploy(bdnet.load('m.safetensors'));"
        "torch.set_grad_enabled(False);"
        "numpy.save('y.npy', deployed.features(torch.from_numpy(numpy.load('x.npy'))))"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"},
        check=True,
    )
    with torch.no_grad():
        expected = bdnet.deploy(network).features(x).numpy()
    assert_equal(expected, np.load(tmp_path / "y.npy"), "features")


def _network_of(body: nn.Module) -> BDNet:
    return BDNet(Stem(1, 8), nn.Sequential(body), Head(8, 2))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Linear(1, 1), "cannot deploy a Linear; expected a bdnet.BDNet"),
        (_network_of(nn.Conv2d(8, 8, 1)), "body.0 is a Conv2d, which has no deployment form"),
    ],
)
def test_what_has_no_deployment_form_is_told(model: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        bdnet.deploy(model)


@pytest.mark.parametrize(
    "name", ["body.1.pointwise.bn.running_var", "body.0.pointwise.conv.weight", "stem.conv.weight"]
)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_diverged_training_is_told(name: str, value: float) -> None:
    network = tiny_network()
    with torch.no_grad():
        network.state_dict()[name].view(-1)[0] = value
    with pytest.raises(InputError, match=f"{name} of the trained network is not finite"):
        bdnet.deploy(network)


def test_other_precisions_are_told() -> None:
    with pytest.raises(InputError, match=r"float16; expected float32: call model.float\(\)"):
        bdnet.deploy(tiny_network().half())


def test_a_subclass_is_not_deployed_as_its_base() -> None:
    class OtherConv(BinaryConv2d):
        def quantized_weight(self) -> torch.Tensor:
            return self.weight

    network = _network_of(SignUnit(OtherConv(8, 8, 1)))
    with pytest.raises(InputError, match="a OtherConv has no deployment form; use BinaryConv2d or"):
        bdnet.deploy(network)


def test_a_stem_that_pads_otherwise_is_told() -> None:
    network = tiny_network()
    network.stem.conv.padding_mode = "reflect"
    with pytest.raises(InputError, match="padding that is not zero"):
        bdnet.deploy(network)


def test_constants_are_copies() -> None:
    network = BDNet(Stem(3, 1), nn.Sequential(SignUnit(BinaryConv2d(1, 2, 1))), Head(2, 2))
    network = network.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    deployed = bdnet.deploy(network)
    before = deployed.digest()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    assert deployed.digest() == before


def test_another_default_dtype_changes_nothing() -> None:
    network = tiny_network()
    x = torch.randn(1, *TINY_SHAPE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = bdnet.deploy(network)(x)
        torch.set_default_dtype(torch.float64)
        try:
            assert torch.equal(bdnet.deploy(network)(x), expected)
        finally:
            torch.set_default_dtype(torch.float32)


def test_deploying_changes_nothing_in_the_network() -> None:
    network = tiny_network().train()
    before = copy.deepcopy(network.state_dict())
    bdnet.deploy(network)
    assert network.training
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


@pytest.mark.parametrize("conv", [BinaryConv2d, TernaryConv2d])
def test_an_all_zero_filter_is_plus_one_everywhere(conv: type[BinaryConv2d]) -> None:
    layer = conv(3, 2, 1)
    with torch.no_grad():
        layer.weight.zero_()
    packed = bdnet.deployment.DeployedConv(layer).weight
    assert packed.flatten().tolist() == [0b111] * packed.numel()


def test_a_residual_that_does_not_fit_is_told_with_the_units_path() -> None:
    """A stride of 2 without padding fits images of even sizes, such as those of the training."""
    network = _network_of(SignUnit(BinaryConv2d(8, 8, 2, 2)))
    deployed = bdnet.deploy(network.eval())
    deployed(torch.zeros(1, 1, 16, 16))
    with pytest.raises(
        InputError, match=r"the residual of body\.0 does not fit: .* 3 x 3 .* 4 x 4"
    ):
        deployed(torch.zeros(1, 1, 14, 14))


def test_a_units_bias_is_part_of_its_normalisation() -> None:
    """By so much as if the mean were less by it, in float64; nothing else changes."""
    torch.manual_seed(0)
    unit = SignUnit(BinaryConv2d(4, 6, 3, padding=1, bias=True)).eval()
    bias, mean = unit.conv.bias, unit.bn.running_mean
    assert bias is not None
    assert mean is not None
    x = torch.randn(2, 5, 5, 4)
    with torch.no_grad():
        mean.copy_(torch.randn(6))
        bias.copy_(torch.randn(6).mul(8).round().div(8))  # so that the difference is exact
        mean.copy_(mean.mul(8).round().div(8))
        biased = bdnet.deployment.DeployedUnit(unit)(x)
        mean.sub_(bias)
        bias.zero_()
        assert torch.equal(biased, bdnet.deployment.DeployedUnit(unit)(x))
