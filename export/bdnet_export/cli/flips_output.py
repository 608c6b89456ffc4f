"""How `bdnet-export validate --against-trained` shows where deployment flips signs."""

from typing import TYPE_CHECKING

from bdnet_export.cli.output import Output, table

if TYPE_CHECKING:
    from bdnet_export.report import TrainedComparison

_NORMAL = (
    "Normal is a local margin below 1e-5, the rounding of float32, and from no flip to a few in a "
    "million; a flip moves a sum by 2, so behind the first one flips and margins grow."
)


def show_flips(out: Output, compared: "TrainedComparison") -> None:
    """A row for each layer that takes signs, what they come to, and what a normal number is."""
    headings = ("signs", "flipped", "margin", "locally", "margin")
    shown = table("takes signs", *headings, right=headings)
    for layer in compared.layers:
        cells = []
        for flips in (layer.cumulative, layer.local):
            cells += [f"{flips.signs:,}", "" if flips.margin is None else f"{flips.margin:.1e}"]
        shown.add_row(layer.name, f"{layer.signs:,}", *cells)
    out.table(shown)
    out.line(f"Against the trained network: {compared.describe()}. {_NORMAL}")
