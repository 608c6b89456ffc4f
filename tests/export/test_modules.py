"""Any module made of our layers and others exports, each binary region to the bit."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

import bdnet_export
from bdnet import InputError
from bdnet.layers import BinaryConv2d, BinaryLinear, RPReLU, TernaryConv2d
from bdnet.units import SeparableBlock, SignUnit, Stem
from support.result_schemas import load_valid

Inputs = list[np.ndarray]


class Gate(nn.Module):
    """Squeeze and excitation: a float network that looks at whole maps and scales channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.down = nn.Linear(channels, 4)
        self.up = nn.Linear(4, channels)

    def forward(self, x: Tensor) -> Tensor:
        gate = torch.sigmoid(self.up(torch.relu(self.down(x.mean((2, 3))))))
        return x * gate[:, :, None, None]


class Mixed(nn.Module):
    """Float layers before, between and after; ours by hand and in units; concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16))
        self.depthwise = SignUnit(TernaryConv2d(16, 16, 3, 1, 1, groups=16))
        self.pointwise = SignUnit(BinaryConv2d(16, 24, 1))
        self.conv = BinaryConv2d(24, 24, 3, 1, 1, learned_shift=True)
        self.bn = nn.BatchNorm2d(24)
        self.act = nn.PReLU(24)
        self.gate = Gate(24)
        self.between = nn.Conv2d(24, 9, 1)
        self.down = SignUnit(BinaryConv2d(33, 33, 3, 2, 1), residual="post_bn")
        self.narrow = BinaryLinear(33, 20, learned_shift=True)
        self.classifier = nn.Linear(20, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pointwise(self.depthwise(torch.relu(self.stem(x))))
        x = self.gate(self.act(self.bn(self.conv(x) + x)))
        x = torch.cat([x, torch.tanh(self.between(x))], 1)
        return self.classifier(self.narrow(self.down(x).mean((2, 3))))


class Branches(nn.Module):
    """Two inputs, two outputs, one unit used twice, up-sampling, a map of 1 x 1."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Stem(3, 8)
        self.side = nn.Conv2d(2, 8, 1)
        self.shared = SeparableBlock(
            SignUnit(TernaryConv2d(8, 8, 3, 1, 1, groups=8)), SignUnit(BinaryConv2d(8, 8, 1))
        )
        self.act = RPReLU(16)
        self.join = SignUnit(TernaryConv2d(16, 20, (1, 3), 1, (0, 1), groups=4))
        self.tiny = SignUnit(BinaryConv2d(20, 7, 1), residual="none", activation="relu")
        self.pool = nn.AdaptiveAvgPool2d(1)

    def forward(self, image: Tensor, depth: Tensor) -> tuple[Tensor, Tensor]:
        a = self.shared(self.stem(image))
        b = self.shared(nn.functional.interpolate(self.side(depth), scale_factor=2))
        y = self.join(self.act(torch.cat([a, b], 1) - 0.25))
        return self.tiny(self.pool(y)).flatten(1), torch.maximum(a, b)


def trained(kind: Callable[[], nn.Module], shapes: list[tuple[int, ...]], seed: int) -> nn.Module:
    """A network whose statistics and parameters are not the trivial ones."""
    torch.manual_seed(seed)
    model = kind()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
        for _ in range(3):
            model(*(torch.randn(4, *shape) for shape in shapes))
    return model.eval()


def noise(shapes: list[tuple[int, ...]], batch: int = 3) -> Inputs:
    generator = np.random.default_rng(7)
    return [generator.standard_normal((batch, *shape), dtype=np.float32) for shape in shapes]


CASES = [(Mixed, [(3, 32, 32)]), (Branches, [(3, 20, 12), (2, 5, 3)])]


@pytest.fixture(scope="module", params=CASES, ids=["mixed", "branches"])
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, nn.Module, Inputs]:
    kind, shapes = request.param
    model = trained(kind, shapes, 3)
    path = tmp_path_factory.mktemp("modules") / "model.onnx"
    bdnet_export.export(model, path, input_shape=shapes)
    return path, model, noise(shapes)


def test_regions_are_equal(exported: tuple[Path, nn.Module, Inputs]) -> None:
    path, model, inputs = exported
    report = bdnet_export.validate_module(path, model, inputs, layers=True)
    assert report.passed, report.checks
    assert report.values_compared > 2 * 3 * 1000
    assert {c.name for c in report.checks} >= {
        "regions equal with the library",
        "regions equal without the library",
        "float regions with the library",
    }


def test_a_flipped_weight_is_found(
    exported: tuple[Path, nn.Module, Inputs], tmp_path: Path
) -> None:
    """And named: the first layer whose values differ."""
    path, model, inputs = exported
    proto = onnx.load(path)
    weight = next(t for t in proto.graph.initializer if t.name.endswith("conv.weight"))
    weight.raw_data = bytes(255 - byte for byte in weight.raw_data)
    changed = tmp_path / "changed.onnx"
    onnx.save(proto, changed)
    report = bdnet_export.validate_module(changed, model, inputs)
    assert not report.passed
    assert report.values_different > 0
    # What a unit puts out inside a fused operator is no value of the file.
    node = next(node for node in proto.graph.node if weight.name in node.input)
    first = node.output[0] if node.op_type == "SeparableBlock" else weight.name
    assert (report.first_difference or "").startswith(first.split(".")[0])


def test_transpositions_stand_at_the_edges_alone(
    exported: tuple[Path, nn.Module, Inputs],
) -> None:
    """None reads another, and none stands between two operators of ours."""
    graph = onnx.load(exported[0]).graph
    made_by = {name: node for node in graph.node for name in node.output}
    moves = [node for node in graph.node if node.op_type == "Transpose"]
    ours = {name for node in graph.node if node.domain == "ai.bdnet" for name in node.output}
    assert moves
    for node in moves:
        source = made_by.get(node.input[0])
        assert source is None or source.op_type != "Transpose"
        readers = [n for n in graph.node if node.output[0] in n.input]
        assert not (node.input[0] in ours and any(n.domain == "ai.bdnet" for n in readers))
    # Mixed: in, out to the gate and to the float convolution, back in, out to the mean; the gate.
    assert len(moves) <= 7


def test_the_same_module_gives_the_same_bytes(
    exported: tuple[Path, nn.Module, Inputs], tmp_path: Path
) -> None:
    path, model, inputs = exported
    again = tmp_path / "again.onnx"
    shapes = [array.shape[1:] for array in inputs]
    bdnet_export.export(model, again, input_shape=shapes)
    assert again.read_bytes() == path.read_bytes()


class Labels(nn.Module):
    """The class of each pixel, as integers, beside their scores."""

    def __init__(self) -> None:
        super().__init__()
        self.unit = SignUnit(BinaryConv2d(3, 5, 3, 1, 1), residual="none")

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        y = self.unit(x)
        return {"scores": y, "labels": y.argmax(1)}


def test_a_fixed_batch_and_an_output_of_integers(tmp_path: Path) -> None:
    """Five images go through a file of two at a time, and every image counts once."""
    model = Labels().eval()
    path = tmp_path / "labels.onnx"
    bdnet_export.export(model, path, input_shape=(3, 6, 7), dynamic_batch=False, batch=2, opset=20)
    done: list[tuple[int, int]] = []
    report = bdnet_export.validate_module(
        path, model, noise([(3, 6, 7)], 5), progress=lambda *at: done.append(at)
    )
    assert report.passed, report.checks
    # Two ways of running it; the unit's output is one of the file's, too.
    assert report.values_compared == 2 * 2 * 5 * 5 * 6 * 7
    assert done == [(2, 5), (4, 5), (5, 5)]
    assert any(f"0 of {5 * 6 * 7} values differ" in note for note in report.notes), report.notes


def test_inputs_that_do_not_fit_are_told(tmp_path: Path) -> None:
    path, model = tmp_path / "labels.onnx", Labels().eval()
    bdnet_export.export(model, path, input_shape=(3, 6, 7))
    for inputs, told in (
        (noise([(3, 8, 8)]), r"reads x float32 \[N, 3, 6, 7\]; given: float32 \[3, 3, 8, 8\]"),
        (noise([(3, 6, 7), (2, 5, 3)]), r"reads x float32 \[N, 3, 6, 7\]"),
        ([np.zeros((2, 3, 6, 7))], r"given: float64 \[2, 3, 6, 7\]"),
        (noise([(3, 6, 7)], 0), "different batches, or of none"),
    ):
        with pytest.raises(InputError, match=told):
            bdnet_export.validate_module(path, model, inputs)
    other = nn.Sequential(SignUnit(BinaryConv2d(3, 5, 1))).eval()
    with pytest.raises(InputError, match="of another module"):
        bdnet_export.validate_module(path, other, noise([(3, 6, 7)]))


def test_a_layer_alone_whose_output_is_the_files(tmp_path: Path) -> None:
    """Of vectors; and one of other weights is told from it."""
    path = tmp_path / "alone.onnx"
    models = [trained(lambda: BinaryLinear(9, 8), [(9,)], seed) for seed in (0, 1)]
    bdnet_export.export(nn.Sequential(models[0]), path, input_shape=(9,))
    for model in models:
        report = bdnet_export.validate_module(path, nn.Sequential(model), noise([(9,)]))
        assert report.passed == (model is models[0])
        assert report.first_difference == (None if report.passed else "output")


class Part(nn.Module):
    """A binary unit, and something that cannot be exported behind it."""

    def __init__(self, then: nn.Module) -> None:
        super().__init__()
        self.unit = SignUnit(BinaryConv2d(4, 4, 1))
        self.then = then

    def forward(self, x: Tensor) -> Tensor:
        return self.then(self.unit(x))  # type: ignore[no-any-return]


class Looks(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


class Bessel(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.special.bessel_j0(x)


class Unknown(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.eigvalsh(x @ x.transpose(2, 3))


class Raises(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise RuntimeError("this part is for training only")


class Fixed(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(2, 144)


class Loops(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([image * 2 for image in x])


class Draws(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.rand_like(x)


class OwnBatch(nn.BatchNorm2d):
    """Always in training mode."""

    def train(self, mode: bool = True) -> OwnBatch:
        return super().train(True)


class Returns(nn.Module):
    """Puts ``more`` beside its output, or nothing else."""

    def __init__(self, *more: object) -> None:
        super().__init__()
        self.unit = SignUnit(BinaryConv2d(4, 4, 1))
        self.more = more

    def forward(self, x: Tensor) -> object:
        y = self.unit(x)
        return (y, *self.more) if self.more else None


class Named(nn.Module):
    """Its submodule has a name that torch.export needs."""

    def __init__(self) -> None:
        super().__init__()
        self.unit = SignUnit(BinaryConv2d(4, 4, 1))
        self.code = nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.code(self.unit(x))  # type: ignore[no-any-return]


def patched() -> nn.Module:
    conv = BinaryConv2d(4, 4, 1)
    conv.forward = lambda x: x  # type: ignore[method-assign]
    return Part(conv)


def hooked() -> nn.Module:
    unit = SignUnit(BinaryConv2d(4, 4, 1))
    unit.conv.register_forward_hook(lambda module, inputs, output: output * 2)
    return Part(unit)


def quantised() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        linear = torch.ao.nn.quantized.dynamic.Linear(6, 5)
    return Part(nn.Sequential(nn.ReLU(), linear))


def scripted() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Part(torch.jit.script(nn.Conv2d(4, 4, 1)))


class OtherConv(BinaryConv2d):
    """Computes something else than what a binary convolution does."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


NOT_EXPORTABLE: list[tuple[str, Callable[[], nn.Module], list[str]]] = [
    ("value of a tensor", lambda: Part(Looks()), ["module then", "torch.where"]),
    ("no operator either", lambda: Part(Bessel()), ["then", "bessel", "ONNX"]),
    ("no operator", lambda: Part(Unknown()), ["then", "linalg", "ONNX"]),
    ("raises", lambda: Part(Raises()), ["module then", "[2, 4, 6, 6]", "for training only"]),
    ("one batch size", lambda: Part(Fixed()), ["module then", "batch", "--batch"]),
    ("a loop over the batch", lambda: Part(Loops()), ["(Part)", "a loop", "--batch"]),
    ("a subclass", lambda: Part(OtherConv(4, 4, 1)), ["then", "OtherConv", "subclass"]),
    ("wrong channels", lambda: Part(nn.Conv2d(5, 4, 1)), ["then fails", "channels", "shape"]),
    ("nothing of ours", lambda: nn.Conv2d(4, 4, 1), ["Conv2d", "no layer of bdnet"]),
    (
        "no statistics",
        lambda: Part(nn.BatchNorm2d(4, track_running_stats=False)),
        ["then", "running statistics"],
    ),
    (
        "residual that does not fit",
        lambda: Part(SignUnit(BinaryConv2d(4, 4, 3))),
        ["then", "residual"],
    ),
    ("random", lambda: Part(Draws()), ["module then", "draws random numbers", "self.training"]),
    ("statistics of the batch", lambda: Part(OwnBatch(4)), ["module then", "running statistics"]),
    ("a number beside tensors", lambda: Returns(3), ["(Returns)", "of type int", "return tensors"]),
    ("no output", Returns, ["(Returns)", "returns no tensor"]),
    ("a name of torch's", Named, ["(Named)", "'code'", "call it something else"]),
    ("another forward", patched, ["then (BinaryConv2d)", "another forward", "around the layer"]),
    ("a hook", hooked, ["then.conv (BinaryConv2d)", "forward hook", "remove it"]),
    ("quantised", quantised, ["then.1 (Linear)", "quantised", "--classifier int8"]),
    ("scripted", scripted, ["then", "TorchScript", "export the module"]),
    ("lazy", lambda: Part(nn.LazyConv2d(4, 1)), ["then (LazyConv2d)", "run one batch"]),
    ("double", lambda: Part(nn.Conv2d(4, 4, 1).double()), ["then.weight", "float64", "float()"]),
    ("half", lambda: Part(nn.Identity()).half(), ["unit.conv.weight", "float16", "float()"]),
]


@pytest.mark.parametrize(
    ("build", "told"), [case[1:] for case in NOT_EXPORTABLE], ids=[c[0] for c in NOT_EXPORTABLE]
)
def test_what_cannot_be_exported_is_one_sentence(
    build: Callable[[], nn.Module],
    told: list[str],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(InputError) as caught:
        bdnet_export.export(build().eval(), tmp_path / "no.onnx", input_shape=(4, 6, 6))
    assert capfd.readouterr() == ("", "")  # the graphs that torch.export prints, for example
    text = str(caught.value)
    assert "\n" not in text
    assert all(word in text for word in told), text
    assert not list(tmp_path.iterdir())


def test_from_the_command_line(tmp_path: Path) -> None:
    """A function of the user's own: exported, validated layer by layer, timed."""
    (tmp_path / "mine.py").write_text(USERS_OWN)

    def typed(text: str) -> str:
        command = [sys.executable, "-m", "bdnet_export.cli.main", *text.split()]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    typed("export mine:build -o mine.onnx --input-shape 3,16,16")
    shown = typed("validate mine.onnx mine:build --random 4 --against-trained --device local")
    assert "regions equal without the library" in shown
    assert "regions equal on local" in shown
    assert "block.conv" in shown
    assert "Against the trained network: 0 of " in shown
    assert "and nothing run" in typed("validate mine.onnx mine:build --device local --dry-run")
    typed("bench mine.onnx --seconds 0.1")
    typed("bench mine.onnx --seconds 0.1 --source mine:build --json bench.json")
    parity = load_valid("bench", (tmp_path / "bench.json").read_text())["parity"]
    assert (parity["passed"], parity["different"], parity["logits"]) == (True, 0, None)
    assert parity["values"] > 0
    typed("report bench.json -o page.html")
    assert "of the largest value, tolerance 1e-05" in (tmp_path / "page.html").read_text()


USERS_OWN = """
import torch
from torch import nn
from bdnet.layers import BinaryConv2d

class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = BinaryConv2d(channels, channels, 3, 1, 1)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x):
        return torch.relu(self.bn(self.conv(x)) + x)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, 2, 1)
        self.block = Block(8)
        self.last = nn.Linear(8, 10)

    def forward(self, image):
        return self.last(self.block(self.first(image)).mean((2, 3)))

def build():
    torch.manual_seed(0)
    return Net()
"""
