"""The JSON Schema that editors use: current, and of one mind with the reader."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness import schema, yaml12
from tests.harness.expectation_text import VALID

SCHEMA = Path(__file__).parents[2] / "expectations" / "schema.json"


def as_json(value: object) -> Any:
    """Plain data as a JSON reader would have it."""
    if isinstance(value, dict):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value


def errors(text: str) -> list[str]:
    document = yaml12.parse(text.encode())
    assert document.root is not None
    validator = jsonschema.Draft7Validator(json.loads(schema.text()))
    return [error.message for error in validator.iter_errors(as_json(document.root.data))]


def test_the_file_is_current() -> None:
    """Written by ``python -m harness.schema expectations/schema.json``."""
    assert SCHEMA.read_text("utf-8") == schema.text()


def test_it_is_draft_07() -> None:
    jsonschema.Draft7Validator.check_schema(schema.schema())
    assert "$defs" not in schema.text()
    assert "prefixItems" not in schema.text()


def test_it_accepts_a_valid_file() -> None:
    assert errors(VALID) == []


@pytest.mark.parametrize(
    "measure",
    [
        "packets",
        "{packets: {}}",
        "{distinct: ip.src}",
        "{distinct: [ip.src, tcp.dstport]}",
        "{table: {by: ip.src, headers: all}}",
        "{difference: {stages: [original, cleaned]}}",
        "duration",
        "{rate: minute}",
        "{rate: {per: minute, over: 24 h}}",
    ],
)
def test_it_accepts_each_notation(measure: str) -> None:
    assert errors(VALID.replace("{streams: udp}", measure)) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("replicap: 1", "replicap: 2"),
        ("title: C", "titel: C"),
        ("dialect: wireshark-4.0", "dialect: wireshark-3.0"),
        ("bytes: 6296", "bytes: 0"),
        ("7BE2", "7BE"),
        ("from: original", "form: original"),
        ("id: ports", "id: a b"),
        ("{streams: udp}", "{streams: sctp}"),
        ("{streams: udp}", "{stream: udp}"),
        ("{streams: udp}", "streams"),
        ("{streams: udp}", "{streams: udp, no: icmp}"),
        ("{no: icmp}", "{no: {filter: icmp, heders: all}}"),
        ("by: tcp.dstport", "by: [tcp.dstport], bye: 1"),
        ("{distinct: ip.src}}}", "{distinc: ip.src}}}"),
        ("equals: 2", "equals: 2\n    at_most: 3"),
        ("equals: 2", "equals: 2\n    published: three"),
        ("about: 2.0", "abuot: 2.0"),
        ("rows: {23: 4", "rows: {23: x"),
        ('published: "yes"', "equals: 4"),
        ("    not_testable: needs the operator's word\n", ""),
    ],
)
def test_it_refuses(old: str, new: str) -> None:
    assert old in VALID
    assert errors(VALID.replace(old, new)) != []


def test_every_key_of_a_claim_is_described() -> None:
    keys = schema.schema()["definitions"]["claim"]["properties"]
    assert [key for key, value in keys.items() if not value.get("description")] == []


def test_the_command_writes_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert schema.main([str(tmp_path / "s.json")]) == 0
    assert schema.main([]) == 0
    assert capsys.readouterr().out == (tmp_path / "s.json").read_text("utf-8") == schema.text()


@pytest.mark.parametrize("path", sorted(SCHEMA.parent.glob("*.yaml")), ids=lambda path: path.stem)
def test_it_accepts_the_expectation_files_of_the_project(path: Path) -> None:
    assert errors(path.read_text("utf-8")) == []
