"""A validation as JUnit XML, the format in which CI systems read test results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from bdnet_export.cli.output import write_text

if TYPE_CHECKING:
    from bdnet_export import ValidationReport


def write_junit(path: Path, suite: str, report: ValidationReport) -> None:
    """One test case for each check; a failed one has the check's message."""
    failures = sum(not check.passed for check in report.checks)
    root = ElementTree.Element(
        "testsuite",
        name=suite,
        tests=str(len(report.checks)),
        failures=str(failures),
        errors="0",
        skipped="0",
        time=f"{report.seconds:.3f}",
    )
    for check in report.checks:
        case = ElementTree.SubElement(root, "testcase", classname="bdnet.validate", name=check.name)
        if check.passed:
            ElementTree.SubElement(case, "system-out").text = check.message
        else:
            failure = ElementTree.SubElement(case, "failure", message=check.message)
            failure.text = check.message
    ElementTree.indent(root)
    write_text(path, ElementTree.tostring(root, "unicode", xml_declaration=True), "--junit")
