"""bdnet-export report"""

from pathlib import Path
from typing import Annotated

import typer

from bdnet_export.cli.arguments import STANDARD_OUTPUT
from bdnet_export.cli.output import Output, megabytes, write_text

FORMATS = ("html", "md", "csv")


def report(
    results: Annotated[
        list[Path],
        typer.Argument(
            metavar="RESULTS...",
            help="Files that 'bdnet-export bench --json' wrote, or folders of them.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            *("--output", "-o"),
            metavar="FILE",
            help="The file to write; - is standard output.",
            show_default=False,
        ),
    ],
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="html|md|csv",
            help="By default what the file's name ends in, otherwise html.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Make one page of measurements, to look at and to hand on.

    The page needs nothing besides itself: latency distributions, samples over time, ratios, time by
    layer, temperature and clock, parity, versions. Runs that throttled are marked; times of
    emulated devices are not shown.

    For example:

    - `bdnet-export report results/ -o report.html`
    - two files as a table for a pull request: `bdnet-export report a.json b.json -o report.md`
    - for a script: `bdnet-export report results/ -o - --format csv`
    """
    ending = Path(output).suffix.removeprefix(".").lower()
    chosen = format_ or (ending if ending in FORMATS else FORMATS[0])
    if chosen not in FORMATS:
        raise typer.BadParameter(
            f"{chosen!r} is no format; expected {', '.join(FORMATS)}", param_hint="'--format'"
        )
    out = Output(output if output == STANDARD_OUTPUT else None)
    with out.progress() as progress:
        progress("reading the results")
        from bdnet_devices.report import WRITERS, load_results

        loaded = load_results(results)
        progress("drawing" if chosen == "html" else "writing")
        text = WRITERS[chosen](loaded)
    if output == STANDARD_OUTPUT:
        print(text, end="")
        return
    write_text(Path(output), text, "--output")
    counted = "1 result" if len(loaded) == 1 else f"{len(loaded)} results"
    out.success(f"Wrote {output} ({megabytes(len(text.encode()))}) from {counted}")
