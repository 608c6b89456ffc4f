"""bdnet-export validate"""

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bdnet_export.cli.arguments import (
    DeviceOption,
    InventoryOption,
    JsonOption,
    JunitOption,
    ModelArgument,
    SizeOption,
    SourceArgument,
    WheelOption,
    parse_devices,
    parse_size,
)
from bdnet_export.cli.flips_output import show_flips
from bdnet_export.cli.junit import write_junit
from bdnet_export.cli.main import BAD_INPUT
from bdnet_export.cli.output import Output, StageProgress, megabytes, percent, table
from bdnet_export.cli.side_by_side import show_plans, side_by_side

if TYPE_CHECKING:
    from bdnet_export import Source, ValidationReport
    from bdnet_export.file_input import FileInput
    from bdnet_export.file_inputs import FileInputs
    from bdnet_export.metadata import ModelMetadata

RANDOM_IMAGES = 32


def validate(
    onnx_file: ModelArgument,
    source: SourceArgument,
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|FOLDER",
            help="Images to compare on: a folder, an image, or an .npz with 'images' and, for "
            "accuracy, 'labels'. For several inputs an .npz with an array for each, by its name.",
            show_default=False,
        ),
    ] = None,
    random: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Compare on N images of seeded noise.", show_default=False
        ),
    ] = None,
    size: SizeOption = None,
    layers: Annotated[
        bool,
        typer.Option("--layers", help="Compare every layer as well, on the first image."),
    ] = False,
    against_trained: Annotated[
        bool,
        typer.Option(
            "--against-trained",
            help="Count the signs that deployment's rounding flips, layer by layer; with --layers.",
        ),
    ] = False,
    device: DeviceOption = None,
    inventory: InventoryOption = None,
    wheel: WheelOption = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show what would be run on the devices; run none of it."),
    ] = False,
    json_file: JsonOption = None,
    junit: JunitOption = None,
) -> int:
    """Prove that the file is the network, bit for bit.

    Every image runs in PyTorch and in ONNX Runtime, with bdnet's library and without. The features
    that leave the binary body must be equal, the logits equal to 1e-5 of the largest; those of an
    int8 classifier, a check of its own, to 5e-2. Status 1 if they are not, with the first layer
    that differs. With --device it runs on boards as well, and is compared there. A module with
    float layers in between is compared region by region.

    --against-trained is no check: the trained network is a float computation, and deployment rounds
    otherwise.

    Without --images and --random: the held-out images of a shipped model, otherwise 32 images
    of noise. Images are of the size that the file reads; where it reads any, of --size, of their
    own, or noise of the size that SOURCE says.

    For example:

    - `bdnet-export validate fashion.onnx fashion-mnist`
    - `bdnet-export validate model.onnx model.safetensors --images photos/`
    - on a board: `bdnet-export validate fashion.onnx fashion-mnist --device pi5`
    - layer by layer: `bdnet-export validate fashion.onnx fashion-mnist --device pi5 --layers`
    - where deployment flips signs: `bdnet-export validate model.onnx m.pt --against-trained`
    - a file of any size, at one: `bdnet-export validate any.onnx m.safetensors --size 320,240`
    - to see it first: `bdnet-export validate fashion.onnx fashion-mnist --device pi5 --dry-run`
    - as tests of a CI: `bdnet-export validate model.onnx model.safetensors --junit report.xml`
    """
    if images is not None and random is not None:
        raise typer.BadParameter(
            "it cannot be given together with '--random'; choose one of them",
            param_hint="'--images'",
        )
    given_size = parse_size(size)
    layers = layers or against_trained
    if dry_run:
        for given, needed, option, reason in (
            (device is not None, True, "--dry-run", "there is no device to run on; give --device"),
            (json_file is not None, False, "--json", "a dry run has no result; leave it out"),
            (junit is not None, False, "--junit", "a dry run has no result; leave it out"),
        ):
            if given is not needed:
                raise typer.BadParameter(reason, param_hint=f"'{option}'")
    out = Output(json_file)
    with out.progress() as progress:
        progress("loading PyTorch")
        import bdnet_export
        from bdnet_devices import open_device
        from bdnet_devices.errors import DeviceError
        from bdnet_devices.remote import require_devices
        from bdnet_export.file_inputs import input_of
        from bdnet_export.metadata import read_metadata
        from bdnet_export.model_file import load_model
        from bdnet_export.parity import plan_verification
        from bdnet_export.validation import device_references
        from bdnet_runtime.verify import VerifyOptions

        names = [] if device is None else parse_devices(device)
        require_devices(names, inventory)
        progress(f"reading {source}")
        network = bdnet_export.load_source(source)
        proto = load_model(onnx_file)
        read = input_of(proto, onnx_file)
        metadata = read_metadata(proto, onnx_file)
        note = None
        if images is None and random is None:
            images, note = _held_out_images(network, read, given_size)
        if images is None:
            known = network.input_shape if read.any_size else None
            noise_size = given_size or (known and known[1:])
            image_set = read.random(random or RANDOM_IMAGES, noise_size)
        else:
            image_set = read.load(images, network.preprocessing, given_size)
        if dry_run:
            progress(f"computing what {source} gives")
            references = device_references(onnx_file, network.model, image_set, layers=layers)

    def plan_one(name: str, tell: StageProgress) -> list[str]:
        lines: list[str] = []
        note = lines.append
        with open_device(name, inventory, wheel=wheel, progress=tell, dry_run=note) as opened:
            for reference in references:
                plan_verification(opened, onnx_file, reference, VerifyOptions(), note)
        return lines

    if dry_run:
        return show_plans(out, side_by_side(out, names, plan_one))
    with out.progress() as progress, ExitStack() as reached:
        devices, unreached = [], {}
        for name in names:
            tell = partial(_of_device, progress, name)
            try:
                opened = open_device(name, inventory, wheel=wheel, progress=tell)
                devices.append(reached.enter_context(opened))
            except DeviceError as error:
                unreached[name] = str(error)
        progress(f"comparing {image_set.description}", 0.0)
        report = bdnet_export.validate(
            onnx_file,
            network.model,
            image_set,
            devices=devices,
            layers=layers,
            against_trained=against_trained,
            progress=lambda done, total: progress(
                f"comparing {image_set.description}", done / total
            ),
        )
    report.device_errors |= unreached
    notes = (note, _other_preprocessing(network, metadata), read.size_note(image_set.images))
    report.notes += filter(None, notes)
    _show(out, onnx_file, source, report)
    out.json(report.to_dict())
    if junit is not None:
        write_junit(junit, f"bdnet-export validate {onnx_file}", report)
    if report.device_errors:
        return BAD_INPUT
    return 0 if report.passed else 1


def _of_device(progress: StageProgress, name: str, stage: str, fraction: float | None) -> None:
    progress(f"{name}: {stage}", fraction)


def _held_out_images(
    network: "Source", read: "FileInput | FileInputs", size: tuple[int, int] | None
) -> tuple[Path | None, str | None]:
    """The images that come with a shipped model; where they do not fit the file, a note of it."""
    from bdnet import zoo
    from bdnet_export.file_input import FileInput

    images = zoo.held_out_images(network.name) if network.name in zoo.names() else None
    if images is None or (read.any_size and size is None) or not isinstance(read, FileInput):
        return images, None
    shape = read.image_shape(size)
    if shape == network.input_shape:
        return images, None
    reads, held_out = (" x ".join(map(str, one or ())) for one in (shape, network.input_shape))
    return None, (
        f"the file reads images of {reads}, the held-out images are {held_out}: compared on noise"
    )


def _other_preprocessing(network: "Source", metadata: "ModelMetadata") -> str | None:
    """A note where the file normalises bytes otherwise than the checkpoint says."""
    inside, outside = metadata.preprocessing, network.preprocessing
    if not metadata.as_bytes or inside is None or outside is None or inside == outside:
        return None
    return (
        f"the file normalises by mean {inside.mean} and std {inside.std}, the checkpoint says "
        f"{outside.mean} and {outside.std}: compared by the file's"
    )


def _show(out: Output, onnx_file: Path, source: str, report: "ValidationReport") -> None:
    checks = table("check", "", "found")
    for check in report.checks:
        checks.add_row(check.name, "ok" if check.passed else "FAILED", check.message)
    out.table(checks)
    if report.layers:
        _show_layers(out, report)
    if report.against_trained is not None:
        show_flips(out, report.against_trained)
    for note in report.notes:
        out.line(f"Note: {note}")
    if report.accuracy_pytorch is not None:
        out.line(
            f"Accuracy on these images: PyTorch {percent(report.accuracy_pytorch)}, "
            f"ONNX {percent(report.accuracy_onnx)}"
            + ("" if report.classifier_agreement is None else " with its int8 classifier")
        )
    compared = (
        f"{report.values_different:,} of {report.values_compared:,} values differ on "
        f"{report.inputs}, in {report.seconds:.1f} s"
    )
    size = megabytes(onnx_file.stat().st_size)
    for sentence in report.device_errors.values():
        out.failure(sentence)
    failed = sum(not check.passed for check in report.checks)
    if not failed:
        out.success(f"{onnx_file} ({size}) is {source}: {compared}")
    else:
        where = "" if report.first_difference is None else f", first in {report.first_difference}"
        out.failure(
            f"{onnx_file} ({size}) is not {source}: {failed} of {len(report.checks)} checks "
            f"failed; {compared}{where}"
        )


def _show_layers(out: Output, report: "ValidationReport") -> None:
    places = [compared.where for compared in report.layers]
    shown = table("layer", "values", *places, right=("values", *places))
    for same_layer in zip(*(compared.layers for compared in report.layers), strict=True):
        differ = [_difference(layer) for layer in same_layer]
        shown.add_row(same_layer[0]["name"], f"{same_layer[0]['values']:,}", *differ)
    out.table(shown)


def _difference(layer: dict[str, Any]) -> str:
    if "error" in layer:  # of a float layer
        beyond = f", {layer['different']:,} beyond" if layer["different"] else ""
        return f"error {layer['error']:.1e}{beyond}"
    return f"{layer['different']:,} differ" if layer["different"] else "equal"
