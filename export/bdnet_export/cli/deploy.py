"""bdnet-export deploy"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bdnet_export.cli.arguments import InventoryOption, ModelArgument, WheelOption, parse_devices
from bdnet_export.cli.main import BAD_INPUT
from bdnet_export.cli.output import Output, StageProgress, megabytes
from bdnet_export.cli.side_by_side import show_plans, side_by_side

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
) -> int:
    """Put the file on a device, with all that it needs to run there.

    That is bdnet's own wheel, compiled here for the device's processor, and ONNX Runtime's and
    numpy's for its Python. They are unpacked into one folder there, '.bdnet' by default. Nothing is
    installed system-wide, and nothing that is there already is sent again.

    bench and validate do this themselves; 'bdnet-export devices clean' takes it all away.

    For example:

    - `bdnet-export deploy fashion.onnx --device pi5`
    - to several at once: `bdnet-export deploy fashion.onnx --device pi5,orin`
    - to see it first: `bdnet-export deploy fashion.onnx --device pi5 --dry-run`
    """
    from bdnet_devices.inventory import Inventory

    out = Output()
    devices = Inventory.load(inventory)
    entries = {name: devices.get(name) for name in parse_devices(device)}

    def plan_one(name: str, tell: StageProgress) -> list[str]:
        commands: list[str] = []
        _deploy(onnx_file, entries[name], wheel, tell, commands.append)
        return commands

    def deploy_one(name: str, tell: StageProgress) -> str:
        return _deploy(onnx_file, entries[name], wheel, tell)

    if dry_run:
        return show_plans(out, side_by_side(out, list(entries), plan_one))
    status = 0
    for outcome in side_by_side(out, list(entries), deploy_one).values():
        if isinstance(outcome, Exception):
            out.failure(str(outcome))
            status = BAD_INPUT
        else:
            out.success(outcome)
    return status


def _deploy(
    onnx_file: Path,
    entry: "DeviceEntry",
    wheel: Path | None,
    progress: StageProgress,
    dry_run: Callable[[str], None] | None = None,
) -> str:
    """Deploys to one device. Returns the sentence of its success.

    Args:
        dry_run: called with each command that would change the device, which is then not run.
    """
    from bdnet_devices.deployment import Deployer
    from bdnet_devices.lock import Lock
    from bdnet_devices.probe import probe
    from bdnet_devices.ssh import Connection

    began = time.perf_counter()
    progress(f"reaching {entry.name}")
    with Connection(entry, dry_run=dry_run) as connection, Lock(connection):
        deployer = Deployer(connection, probe(connection), own=wheel, progress=progress)
        deployer.runtime()
        path = deployer.file(onnx_file)
    seconds = time.perf_counter() - began
    sent = f"sent {megabytes(deployer.sent_bytes)}" if deployer.sent_bytes else "it was all there"
    return f"Deployed {onnx_file} to {entry.name} as {path} in {seconds:.1f} s: {sent}"
