"""Verdicts as JUnit XML: a test suite a file, a test case a claim."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from harness.problems import escaped
from harness.report.details import details, headline, properties_of

if TYPE_CHECKING:
    from harness.report.outcome import Outcome
    from harness.verdicts import Verdict

_KINDS = {"refuted": "failure", "error": "error", "not_testable": "skipped"}


def as_text(outcomes: Sequence[Outcome]) -> str:
    """One document for all files."""
    root = ET.Element("testsuites", name="replicap")
    for outcome in outcomes:
        root.append(_suite(outcome))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(outcome: Outcome) -> ET.Element:
    report = outcome.report
    counts = {status.value: number for status, number in report.summary().items()}
    path = escaped(str(report.expectations.path))
    suite = ET.Element(
        "testsuite",
        name=path,
        tests=str(len(report.verdicts)),
        failures=str(counts["refuted"]),
        errors=str(counts["error"]),
        skipped=str(counts["not_testable"]),
        time=f"{outcome.seconds:.3f}",
    )
    if report.capture is not None:
        properties = ET.SubElement(suite, "properties")
        _property(properties, "capture", report.capture.path)
        _property(properties, "sha256", report.capture.sha256)
        _property(properties, "damaged_at", report.capture.damaged_at)
        _property(properties, "twin", report.twin)
    _property(properties, "draft", report.expectations.draft)
    suite.extend(_case(verdict, path) for verdict in report.verdicts)
    return suite


def _case(verdict: Verdict, path: str) -> ET.Element:
    case = ET.Element(
        "testcase",
        classname=path,
        name=escaped(verdict.claim.id),
        file=path,
        line=str(verdict.claim.line),
        time=f"{verdict.seconds:.3f}",
    )
    properties = ET.SubElement(case, "properties")
    for name, value in properties_of(verdict):
        _property(properties, name, value)
    kind = _KINDS.get(verdict.status.value)
    if kind is not None:
        outcome = ET.SubElement(case, kind, message=headline(verdict))
        outcome.text = "\n".join([escaped(verdict.reason), *details(verdict)])
    return case


def _property(parent: ET.Element, name: str, value: object) -> None:
    ET.SubElement(parent, "property", name=name, value=escaped(str(value)))
