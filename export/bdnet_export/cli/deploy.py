"""bdnet-export deploy"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bdnet_export.cli.arguments import InventoryOption, ModelArgument, WheelOption, parse_devices
from bdnet_export.cli.output import Output, StageProgress, megabytes

if TYPE_CHECKING:
    from bdnet_devices.inventory import DeviceEntry


def deploy(
    onnx_file: ModelArgument,
    device: Annotated[
        str,
        typer.Option(
            metavar="NAME[,NAME...]",
            help="Devices of the inventory; see 'bdnet-export devices list'.",
            show_default=False,
        ),
    ],
    inventory: InventoryOption = None,
    wheel: WheelOption = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show what would be done on the device, and do not do it."),
    ] = False,
) -> None:
    """Put the file on a device, with all that it needs to run there.

    That is bdnet's own wheel, compiled here for the device's processor, and ONNX Runtime's and
    numpy's for its Python. They are unpacked into one folder there, '.bdnet' by default. Nothing is
    installed system-wide, and nothing that is there already is sent again.

    bench and validate do this themselves; 'bdnet-export devices clean' takes it all away.

    For example:

    - `bdnet-export deploy fashion.onnx --device pi5`
    - to see it first: `bdnet-export deploy fashion.onnx --device pi5 --dry-run`
    """
    from bdnet_devices.inventory import Inventory

    out = Output()
    devices = Inventory.load(inventory)
    entries = [devices.get(name) for name in parse_devices(device)]
    for entry in entries:
        with out.progress() as progress:
            commands: list[str] | None = [] if dry_run else None
            said = _deploy(onnx_file, entry, wheel, commands, progress)
        for command in commands or ():
            out.line(command)
        out.success(said)


def _deploy(
    onnx_file: Path,
    entry: "DeviceEntry",
    wheel: Path | None,
    commands: list[str] | None,
    progress: StageProgress,
) -> str:
    """Deploys to one device. Returns the sentence of its success.

    Args:
        commands: in a dry run, where those that would change the device are noted.
    """
    from bdnet_devices.deployment import Deployer
    from bdnet_devices.lock import Lock
    from bdnet_devices.probe import probe
    from bdnet_devices.ssh import Connection

    began = time.perf_counter()
    progress(f"reaching {entry.name}")
    note = None if commands is None else commands.append
    with Connection(entry, dry_run=note) as connection, Lock(connection):
        deployer = Deployer(connection, probe(connection), own=wheel, progress=progress)
        deployer.runtime()
        path = deployer.file(onnx_file)
    if commands is not None:
        return f"Nothing was changed on {entry.name}"
    seconds = time.perf_counter() - began
    sent = f"sent {megabytes(deployer.sent_bytes)}" if deployer.sent_bytes else "it was all there"
    return f"Deployed {onnx_file} to {entry.name} as {path} in {seconds:.1f} s: {sent}"
