"""bdnet-export devices"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from bdnet_export.cli.arguments import InventoryOption, JsonOption
from bdnet_export.cli.output import Output, megabytes, table

if TYPE_CHECKING:
    from bdnet_devices.probe import Facts

devices = typer.Typer(
    name="devices",
    no_args_is_help=True,
    help="The boards that models are measured on: names for what ssh reaches.",
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", show_default=False)]


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
        str | None,
        typer.Option(metavar="USER@HOST", help="The host in between.", show_default=False),
    ] = None,
    port: Annotated[int | None, typer.Option(metavar="N", show_default=False)] = None,
    folder: Annotated[
        str, typer.Option(metavar="PATH", help="Where all that bdnet puts there goes.")
    ] = ".bdnet",
    python: Annotated[
        str | None,
        typer.Option(
            metavar="PATH", help="A Python there; by default the newest.", show_default=False
        ),
    ] = None,
    ssh_config: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Read in place of ~/.ssh/config.", show_default=False),
    ] = None,
    package: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME==VERSION",
            help="A version asked for there, such as onnxruntime==1.23.2; again for more.",
            show_default=False,
        ),
    ] = None,
    inventory: InventoryOption = None,
) -> None:
    """Give a board a name.

    For example:

    - `bdnet-export devices add pi5 pi@raspberrypi.local`
    - an alias of ~/.ssh/config: `bdnet-export devices add orin jetson`
    """
    from bdnet_devices.inventory import DeviceEntry, Inventory
    from bdnet_devices.packages import parse_pins

    listed = Inventory.load(inventory)
    packages = tuple(package or ())
    parse_pins(packages)
    listed.add(DeviceEntry(name, host, jump, port, folder, python, ssh_config, packages))
    listed.save()
    Output().success(f"Added {name} to {listed.path}; see 'bdnet-export devices doctor {name}'")


@devices.command("list")
def list_devices(inventory: InventoryOption = None) -> None:
    """Show the devices of the inventory."""
    from bdnet_devices.inventory import LOCAL, Inventory

    listed = Inventory.load(inventory)
    shown = table("name", "host", "folder")
    shown.add_row(LOCAL, "this machine", "")
    for entry in listed.entries():
        shown.add_row(entry.name, entry.by_hand(), entry.folder)
    out = Output()
    out.table(shown)
    out.line(str(listed.path))


@devices.command()
def remove(name: NameArgument, inventory: InventoryOption = None) -> None:
    """Forget a name. What is on the board stays there: see clean."""
    from bdnet_devices.inventory import Inventory

    listed = Inventory.load(inventory)
    listed.remove(name)
    listed.save()
    Output().success(f"Removed {name} from {listed.path}")


@devices.command()
def probe(
    name: NameArgument, inventory: InventoryOption = None, json_file: JsonOption = None
) -> None:
    """Show what a board is: processor, memory, system, Python, clock, temperature."""
    from bdnet_devices import probe as probing
    from bdnet_devices.inventory import Inventory
    from bdnet_devices.ssh import Connection

    entry = Inventory.load(inventory).get(name)
    out = Output(json_file)
    with out.progress() as progress:
        progress(f"reaching {entry.host}")
        with Connection(entry) as connection:
            facts = probing.probe(connection)
    shown = table()
    for label, value in _lines(facts).items():
        shown.add_row(label, value or "not told")
    out.table(shown)
    out.json(facts.to_dict())


@devices.command()
def doctor(name: NameArgument, inventory: InventoryOption = None) -> int:
    """Check each thing that a board needs, with the remedy of what it lacks.

    Exit status 1 where something is missing without which bdnet does not work there.
    """
    from bdnet_devices import probe as probing
    from bdnet_devices.doctor import examine
    from bdnet_devices.inventory import Inventory
    from bdnet_devices.ssh import Connection

    entry = Inventory.load(inventory).get(name)
    out = Output()
    with out.progress() as progress:
        progress(f"examining {entry.host}")
        with Connection(entry) as connection:
            checks = examine(connection, probing.probe(connection))
    shown = table("check", "", "found", "remedy")
    for check in checks:
        verdict = "ok" if check.passed else "FAILED" if check.needed else "note"
        shown.add_row(check.name, verdict, check.found, check.remedy)
    out.table(shown)
    failed = [check for check in checks if check.needed and not check.passed]
    if failed:
        out.failure(f"{name} is not fit: {', '.join(check.name for check in failed)}")
        return 1
    out.success(f"{name} is fit: 'bdnet-export bench MODEL.onnx --device {name}'")
    return 0


@devices.command()
def clean(
    name: NameArgument,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and do not do it.")
    ] = False,
    inventory: InventoryOption = None,
) -> None:
    """Remove all that bdnet put on a board."""
    from bdnet_devices import probe as probing
    from bdnet_devices.deployment import Deployer
    from bdnet_devices.inventory import Inventory
    from bdnet_devices.remote import locked
    from bdnet_devices.ssh import Connection

    entry = Inventory.load(inventory).get(name)
    out = Output()
    with out.progress() as progress:
        progress(f"cleaning {entry.host}")
        with (
            Connection(entry, dry_run=out.line if dry_run else None) as connection,
            locked(connection),
        ):
            freed = Deployer(connection, probing.probe(connection)).clean()
    if dry_run:
        out.success(f"Nothing was changed on {name}; {megabytes(freed)} would be free again")
    else:
        out.success(f"Removed all of bdnet's from {name}: {megabytes(freed)} are free again")


def _lines(facts: "Facts") -> dict[str, str]:
    def number(value: float | None, text: str) -> str:
        return "" if value is None else text.format(value)

    pythons = ", ".join(f"{version} ({path})" for path, version in facts.pythons)
    memory = number(facts.memory_bytes and facts.memory_bytes / 2**20, "{:,.0f} MiB")
    free = number(facts.disk_free_bytes and facts.disk_free_bytes / 1e6, "{:,.0f} MB free")
    lines: dict[str, Any] = {
        "model": facts.model,
        "processor": " ".join(filter(None, (facts.machine, facts.cpu))),
        "cores": number(facts.cores, "{}"),
        "features": " ".join(facts.features),
        "bdnet's kernels": facts.isa() or "none for this processor",
        "memory": memory,
        "disk": free,
        "system": ", ".join(filter(None, (facts.os, facts.kernel))),
        "glibc": facts.glibc,
        "Python": pythons,
        "governor": " of ".join(filter(None, (facts.governor, ", ".join(facts.governors)))),
        "clock": number(facts.frequency_mhz, "{:,.0f} MHz"),
        "temperature": number(facts.temperature_c, "{:.1f} °C"),
        "throttling": facts.throttled,
        "power mode": facts.power_mode,
    }
    return {label: str(value or "") for label, value in lines.items()}
