"""Where deployment flips signs of the trained network: counted where they are taken.

Networks whose two forms truly differ are made on purpose: of rounding alone, millions of signs may
show nothing.
"""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import bdnet
import bdnet_export
from bdnet.deployment import deploy_module
from bdnet.layers import BinaryConv2d, BinaryLinear
from bdnet_export.against_trained import AgainstTrained
from bdnet_export.report import LayerFlips, TrainedComparison
from support.networks import TINY_SHAPE, tiny_network
from support.result_schemas import require_valid

IMAGES = bdnet_export.random_images(10, TINY_SHAPE)


def compared(
    model: nn.Module, *inputs: np.ndarray, deployed: nn.Module | None = None, batch: int = 3
) -> TrainedComparison:
    trained = AgainstTrained(model, deployed or deploy_module(model))
    for begin in range(0, len(inputs[0]), batch):
        part = [array[begin : begin + batch] for array in inputs]
        trained.compare(part, len(part[0]))
    return trained.result()


def by_name(found: TrainedComparison) -> dict[str, LayerFlips]:
    return {layer.name: layer for layer in found.layers}


def negated_after(name: str) -> bdnet.BDNet:
    """A network one of whose units puts out the opposite of what its parameters say."""
    model = tiny_network()
    model.get_submodule(name).register_forward_hook(lambda module, args, output: -output)
    return model


def test_one_layer_that_differs_is_told_from_all_that_follow() -> None:
    """Local flips are those of the one; cumulative flips go on behind it. Both are counted."""
    model = negated_after("body.0.depthwise")
    found = compared(model, IMAGES.images, deployed=deploy_module(tiny_network()))
    assert (found.first_cumulative, found.first_local) == ("body.0.pointwise",) * 2
    names = ["body.0.depthwise", "body.0.pointwise", "body.1.depthwise", "body.1.pointwise"]
    assert [layer.name for layer in found.layers] == names
    local = [layer.local.signs for layer in found.layers]
    assert local[0] == local[2] == local[3] == 0
    assert all(layer.cumulative.signs > 0 for layer in found.layers[1:])
    # What the point-wise unit takes the signs of, with its learned shift, in both forms.
    y: list[Tensor] = []
    model.body[0].pointwise.register_forward_pre_hook(lambda module, args: y.append(args[0]))
    with torch.no_grad():
        model(torch.from_numpy(IMAGES.images))
    shift = model.body[0].pointwise.conv.shift.detach().view(1, -1, 1, 1)
    ours, theirs = y[0] + shift, -y[0] + shift
    flipped = (ours >= 0) != (theirs >= 0)
    layer = found.layers[1]
    assert (layer.signs, layer.local.signs) == (ours.numel(), int(flipped.sum()))
    assert layer.cumulative == layer.local
    margin = float(ours[flipped].abs().max() / ours.abs().mean())
    assert layer.local.margin == pytest.approx(margin, rel=1e-5)


class Hand(nn.Module):
    """BN by hand behind sums of signs, a layer of ours used twice, and one that takes rows.

    The means of BN are integers. In training c - mean is 0 where c is the mean, a +1; in deployment
    c * mul + add, rounded, may be just below.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = BinaryConv2d(15, 15, 1, scale=False)
        self.bn = nn.BatchNorm2d(15)
        self.linear = BinaryLinear(15, 4, learned_shift=True)
        with torch.no_grad():
            self.bn.running_mean.copy_(torch.arange(15) - 7.0)
            self.bn.running_var.copy_(torch.arange(15) + 1.3)

    def forward(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        x = self.bn(self.conv(x))
        x = self.bn(self.conv(x=x)).relu_() - y
        return {"map": x, "scores": self.linear(x.mean((2, 3)))}


def test_a_module_whose_rounding_flips_signs() -> None:
    torch.manual_seed(2)
    model = Hand().eval()
    generator = np.random.default_rng(2)
    x = generator.standard_normal((7, 15, 6, 5), dtype=np.float32)
    y = np.ones((7, 15, 6, 5), np.float32)
    before = copy.deepcopy(model.state_dict())
    found = compared(model, x, y)
    conv, linear = found.layers
    assert (conv.name, linear.name) == ("conv", "linear")
    assert (conv.signs, linear.signs) == (2 * x.size, 7 * 15)
    with torch.no_grad():
        c = model.conv(torch.from_numpy(x))
        mul, add = bdnet.deployment.fold_bn(model.bn)
        folded = c * mul.view(1, -1, 1, 1) + add.view(1, -1, 1, 1)
        flipped = (model.bn(c) >= 0) != (folded >= 0)
    assert int(flipped.sum()) > 0
    assert (conv.local.signs, found.first_local) == (int(flipped.sum()), "conv")
    assert conv.local.margin is not None
    assert conv.local.margin < 1e-6
    assert conv.cumulative.signs >= conv.local.signs
    assert found.images == 7
    assert found.top1_agreement is not None
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_equal_forms_flip_nothing_and_images_that_fill_a_batch_count_nothing() -> None:
    trained = AgainstTrained(tiny_network(), deploy_module(tiny_network()))
    trained.compare([IMAGES.images[:6]], 4)
    found = trained.result()
    assert found.images == 4
    assert (found.first_cumulative, found.first_local, found.top1_agreement) == (None, None, 1.0)
    assert by_name(found)["body.0.depthwise"].signs == 4 * 7 * 11 * 9
    assert all(layer.cumulative.margin is None for layer in found.layers)


def test_it_is_in_the_report_and_is_no_check(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    bdnet_export.export(tiny_network(), path, input_shape=TINY_SHAPE)
    plain = bdnet_export.validate(path, tiny_network(), IMAGES, layers=True)
    report = bdnet_export.validate(path, tiny_network(), IMAGES, layers=True, against_trained=True)
    assert (plain.against_trained, report.passed) == (None, True)
    assert [check.name for check in report.checks] == [check.name for check in plain.checks]
    found = report.against_trained
    assert found is not None
    assert (found.images, found.top1_agreement) == (10, report.top1_agreement)
    assert found == compared(tiny_network(), IMAGES.images)
    signs = sum(layer.signs for layer in found.layers)
    assert found.describe().startswith(f"0 of {signs:,} signs flip; locally 0; top classes agree")
    require_valid("validate", report.to_dict())


def test_classes_that_differ_are_counted() -> None:
    model = negated_after("body.1.pointwise")  # behind the last sign
    found = compared(model, IMAGES.images, deployed=deploy_module(tiny_network()))
    assert found.first_cumulative is None
    assert found.top1_agreement is not None
    assert found.top1_agreement < 1
