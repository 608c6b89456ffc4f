"""The Typer application: the commands, their order, and the options before them."""

from dataclasses import dataclass
from typing import Annotated

import typer

from bdnet_export.cli.bench import bench
from bdnet_export.cli.demo import demo
from bdnet_export.cli.deploy import deploy
from bdnet_export.cli.devices import devices
from bdnet_export.cli.export import export
from bdnet_export.cli.inspect import inspect
from bdnet_export.cli.report import report
from bdnet_export.cli.run import run
from bdnet_export.cli.validate import validate

MAKE, CHECK, TRY = "Make a file", "Look at it, prove it, measure it", "Try it"
DEVICES = "Boards"


@dataclass
class Settings:
    """What holds for every command."""

    debug: bool = False


settings = Settings()

app = typer.Typer(
    name="bdnet-export",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog="Exit status: 0 success, 1 a check failed, 2 bad input or usage.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        import bdnet_runtime

        print(f"bdnet-export {bdnet_runtime.__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback when something fails.")
    ] = False,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """From a trained BD-Net to one ONNX file that is proved equal to it, and measured.

    A typical first session:

    - `bdnet-export export model.safetensors -o model.onnx`
    - `bdnet-export validate model.onnx model.safetensors`
    - `bdnet-export bench model.onnx`
    """
    settings.debug = debug


app.command(rich_help_panel=MAKE)(export)
app.command(rich_help_panel=CHECK)(validate)
app.command(rich_help_panel=CHECK)(bench)
app.command(rich_help_panel=CHECK)(run)
app.command(rich_help_panel=CHECK)(report)
app.command(rich_help_panel=CHECK)(inspect)
app.command(rich_help_panel=DEVICES)(deploy)
app.add_typer(devices, name="devices", rich_help_panel=DEVICES)
app.command(rich_help_panel=TRY)(demo)
