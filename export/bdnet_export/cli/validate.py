"""bdnet-export validate"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bdnet_export.cli.arguments import JsonOption, JunitOption, ModelArgument, SourceArgument
from bdnet_export.cli.junit import write_junit
from bdnet_export.cli.output import Output, percent, table

if TYPE_CHECKING:
    from bdnet_export import ImageSet, Source, ValidationReport

RANDOM_IMAGES = 32


def validate(
    onnx_file: ModelArgument,
    source: SourceArgument,
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|FOLDER",
            help="Images to compare on: a folder, an image, or an .npz with 'images' and, for "
            "accuracy, 'labels'.",
            show_default=False,
        ),
    ] = None,
    random: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Compare on N images of seeded noise.", show_default=False
        ),
    ] = None,
    json_file: JsonOption = None,
    junit: JunitOption = None,
) -> int:
    """Prove that the file is the network, bit for bit.

    Every image runs in PyTorch and in ONNX Runtime, with bdnet's library and without. The features
    that leave the binary body must be equal, the logits equal to 1e-5 of the largest. Status 1
    if they are not, with the first layer that differs.

    Without --images and --random: the held-out images of a shipped model, otherwise 32 images
    of noise.

    For example:

    - `bdnet-export validate fashion.onnx fashion-mnist`
    - `bdnet-export validate model.onnx model.safetensors --images photos/`
    - as tests of a CI: `bdnet-export validate model.onnx model.safetensors --junit report.xml`
    """
    if images is not None and random is not None:
        raise typer.BadParameter(
            "it cannot be given together with '--random'; choose one of them",
            param_hint="'--images'",
        )
    out = Output(json_file)
    with out.progress() as progress:
        progress("loading PyTorch")
        import bdnet_export

        progress(f"reading {source}")
        network = bdnet_export.load_source(source)
        image_set = _image_set(network, onnx_file, images, random)
        progress(f"comparing {image_set.description}", 0.0)
        report = bdnet_export.validate(
            onnx_file,
            network.model,
            image_set,
            progress=lambda done, total: progress(
                f"comparing {image_set.description}", done / total
            ),
        )
    _show(out, onnx_file, source, report)
    out.json(report.to_dict())
    if junit is not None:
        write_junit(junit, f"bdnet-export validate {onnx_file}", report)
    return 0 if report.passed else 1


def _image_set(
    network: "Source", onnx_file: Path, images: Path | None, random: int | None
) -> "ImageSet":
    import bdnet_export
    from bdnet import zoo

    shape = network.input_shape or _input_shape(onnx_file)
    if images is None and random is None and network.name in zoo.names():
        images = zoo.held_out_images(network.name)
    if images is not None:
        return bdnet_export.load_images(
            images, input_shape=shape, preprocessing=network.preprocessing
        )
    return bdnet_export.random_images(random or RANDOM_IMAGES, shape)


def _input_shape(onnx_file: Path) -> tuple[int, int, int]:
    """For a network that does not say its own."""
    import bdnet_export

    (shape,) = bdnet_export.inspect(onnx_file).inputs.values()
    channels, height, width = (size for size in shape[1:] if isinstance(size, int))
    return channels, height, width


def _show(out: Output, onnx_file: Path, source: str, report: "ValidationReport") -> None:
    checks = table("check", "", "found")
    for check in report.checks:
        checks.add_row(check.name, "ok" if check.passed else "FAILED", check.message)
    out.table(checks)
    for note in report.notes:
        out.line(f"Note: {note}")
    if report.accuracy_pytorch is not None:
        out.line(
            f"Accuracy on these images: PyTorch {percent(report.accuracy_pytorch)}, "
            f"ONNX {percent(report.accuracy_onnx)}"
        )
    compared = (
        f"{report.values_different:,} of {report.values_compared:,} values differ on "
        f"{report.inputs}, in {report.seconds:.1f} s"
    )
    if report.passed:
        out.success(f"{onnx_file} is {source}: {compared}")
    else:
        failed = sum(not check.passed for check in report.checks)
        where = "" if report.first_difference is None else f", first in {report.first_difference}"
        out.failure(
            f"{onnx_file} is not {source}: {failed} of {len(report.checks)} checks failed; "
            f"{compared}{where}"
        )
