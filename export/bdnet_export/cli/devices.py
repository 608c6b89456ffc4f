"""bdnet-export devices"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bdnet_export.cli.arguments import InventoryOption, JsonOption
from bdnet_export.cli.output import Output, megabytes, table

if TYPE_CHECKING:
    from bdnet_devices.doctor import Check
    from bdnet_devices.probe import Facts

CHECK_FAILED = 1

devices = typer.Typer(
    no_args_is_help=True,
    help="The boards by name: add them, look at them, see what they lack, clean them.",
)

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="The device's name.", show_default=False)
]
DryRunOption = Annotated[
    bool,
    typer.Option("--dry-run", help="Show each command that would change something; run none."),
]


@devices.command()
def add(
    name: NameArgument,
    host: Annotated[
        str,
        typer.Argument(
            metavar="USER@HOST", help="Or an alias of ~/.ssh/config.", show_default=False
        ),
    ],
    jump: Annotated[
        str | None, typer.Option(metavar="HOST", help="A host in between, as ssh -J takes it.")
    ] = None,
    port: Annotated[int | None, typer.Option(metavar="N", help="Where it is not 22.")] = None,
    folder: Annotated[
        str, typer.Option(metavar="FOLDER", help="Where all that bdnet puts there goes.")
    ] = ".bdnet",
    python: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="A Python there; by default the newest that is found."),
    ] = None,
    ssh_config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="In place of ~/.ssh/config.")
    ] = None,
    package: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME==VERSION",
            help="A version that is asked for there, such as onnxruntime==1.23.2; several times.",
            show_default=False,
        ),
    ] = None,
    inventory: InventoryOption = None,
) -> None:
    """Add a board to the inventory. Nothing is connected yet.

    For example:

    - `bdnet-export devices add pi5 pi@raspberrypi.local`
    - behind another host: `bdnet-export devices add orin nvidia@10.0.0.7 --jump gateway`
    """
    from bdnet_devices.inventory import DeviceEntry, Inventory
    from bdnet_devices.packages import parse_pins

    out = Output()
    found = Inventory.load(inventory)
    config = None if ssh_config is None else str(ssh_config.absolute())
    packages = tuple(package or ())
    parse_pins(packages)
    found.add(DeviceEntry(name, host, jump, port, folder, python, config, packages))
    found.save()
    out.success(
        f"Added {name} ({host}) to {found.path}; see what it lacks with 'bdnet-export devices "
        f"doctor {name}'"
    )


@devices.command("list")
def list_devices(inventory: InventoryOption = None, json_file: JsonOption = None) -> None:
    """List the devices of the inventory. `local`, this machine, is always there."""
    from bdnet_devices.inventory import LOCAL, Inventory

    out = Output(json_file)
    found = Inventory.load(inventory)
    shown = table("name", "host", "by way of", "folder")
    shown.add_row(LOCAL, "this machine", "", "")
    for entry in found.entries():
        shown.add_row(entry.name, entry.host, entry.jump or "", entry.folder)
    out.table(shown)
    out.line(f"inventory: {found.path}")
    entries = [asdict(entry) for entry in found.entries()]
    out.json(
        {"schema": 1, "kind": "devices", "inventory": str(found.path), "devices": entries},
    )


@devices.command()
def remove(name: NameArgument, inventory: InventoryOption = None) -> None:
    """Remove a board from the inventory. What is on the board stays: clean it before."""
    from bdnet_devices.inventory import Inventory

    out = Output()
    found = Inventory.load(inventory)
    found.remove(name)
    found.save()
    out.success(f"Removed {name} from {found.path}")


@devices.command()
def probe(
    name: NameArgument, inventory: InventoryOption = None, json_file: JsonOption = None
) -> None:
    """Show what a board is: processor, kernels, memory, Python, governor, temperature."""
    out = Output(json_file)
    facts = _facts(out, name, inventory)
    shown = table()
    for key, value in _rows(facts).items():
        shown.add_row(key, value or "not told")
    out.table(shown)
    out.success(f"Probed {name}")
    out.json(
        {"schema": 1, "kind": "probe", "device": name, "isa": facts.isa(), **asdict(facts)},
    )


@devices.command()
def doctor(
    name: NameArgument, inventory: InventoryOption = None, json_file: JsonOption = None
) -> None:
    """Check each thing that a run needs, and say how to get what is missing.

    The exit status is 1 where something is.
    """
    from bdnet_devices.doctor import examine
    from bdnet_devices.inventory import Inventory

    out = Output(json_file)
    facts = _facts(out, name, inventory)
    checks = examine(Inventory.load(inventory).get(name), facts)
    shown = table("check", "", "found", "what to do")
    for check in checks:
        shown.add_row(check.name, _word(check), check.found, check.remedy)
    out.table(shown)
    failed = [check.name for check in checks if check.passed is False]
    found = [asdict(check) for check in checks]
    out.json({"schema": 1, "kind": "doctor", "device": name, "checks": found})
    if failed:
        out.failure(f"{name} is not ready: {', '.join(failed)}")
        raise typer.Exit(CHECK_FAILED)
    out.success(f"{name} is ready")


def _word(check: "Check") -> str:
    return "note" if check.passed is None else "ok" if check.passed else "FAILED"


def _facts(out: Output, name: str, inventory: Path | None) -> "Facts":
    from bdnet_devices.inventory import Inventory
    from bdnet_devices.probe import probe as ask
    from bdnet_devices.ssh import Connection

    entry = Inventory.load(inventory).get(name)
    with out.progress() as progress:
        progress(f"connecting to {entry.host}")
        with Connection(entry) as connection:
            progress(f"probing {name}")
            return ask(connection)


def _rows(facts: "Facts") -> dict[str, str | None]:
    def with_unit(value: float | None, unit: str) -> str | None:
        return None if value is None else f"{value:,.0f} {unit}"

    memory, disk = facts.memory_bytes, facts.disk_free_bytes
    rows = {
        "model": facts.model,
        "processor": facts.cpu,
        "machine": facts.machine,
        "kernels of ours": facts.isa() or "none for this processor or this 32-bit system",
        "cores": None if facts.cores is None else str(facts.cores),
        "memory": None if memory is None else megabytes(memory),
        "disk free": None if disk is None else megabytes(disk),
        "system": facts.os,
        "Linux": facts.kernel,
        "glibc": facts.glibc,
        "Python": ", ".join(f"{number} ({path})" for path, number in facts.pythons) or "none",
        "governor": facts.governor,
        "governors": None if facts.governors is None else ", ".join(facts.governors),
        "frequency": with_unit(facts.frequency_mhz, "MHz"),
        "temperature": with_unit(facts.temperature_c, "°C"),
        "throttled": facts.throttled,
    }
    if facts.jetson is not None:
        rows["Jetson"] = facts.jetson
    return rows


@devices.command()
def clean(
    name: NameArgument, inventory: InventoryOption = None, dry_run: DryRunOption = False
) -> None:
    """Remove all that bdnet has put on a board."""
    from bdnet_devices.deployment import Deployer
    from bdnet_devices.inventory import Inventory
    from bdnet_devices.lock import Lock
    from bdnet_devices.probe import probe as ask
    from bdnet_devices.ssh import Connection

    out = Output()
    entry = Inventory.load(inventory).get(name)
    with out.progress() as progress:
        progress(f"connecting to {entry.host}")
        commands: list[str] = []
        note = commands.append if dry_run else None
        with Connection(entry, dry_run=note) as connection, Lock(connection):
            progress(f"cleaning {name}")
            freed = Deployer(connection, ask(connection)).clean()
    for command in commands:
        out.line(command)
    out.success(f"{'Would free' if dry_run else 'Freed'} {megabytes(freed)} on {name}")
