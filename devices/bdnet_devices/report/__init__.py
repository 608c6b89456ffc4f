"""From results of ``bdnet-export bench --json`` to a page, a Markdown or a CSV file to hand on.

Jinja2 and matplotlib are imported when a page is made, not with this package.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bdnet_devices.report.results import Result, load_results
from bdnet_devices.report.tables import write_csv, write_markdown

__all__ = ["WRITERS", "Result", "load_results"]


def _write_html(results: Sequence[Result]) -> str:
    from bdnet_devices.report.page import write_html

    return write_html(results)


WRITERS: dict[str, Callable[[Sequence[Result]], str]] = {
    "html": _write_html,
    "md": write_markdown,
    "csv": write_csv,
}
"""The text of a file of each format; the same results give the same text."""
