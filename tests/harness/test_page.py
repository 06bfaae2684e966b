"""The page: everything of a capture or a YAML is text in it, and it asks nobody for anything."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from decoders.containers import open_captures
from harness.cli import main
from harness.engine import verify
from harness.expectation import read
from harness.report.html.page import as_text
from harness.report.html.words import figures_in, plain, prose
from harness.report.outcome import Outcome, not_run
from harness.verdicts import Report
from tests.harness.command_cases import (
    HEAD,
    INTERFACE,
    RIGHT,
    SECTION,
    THREE,
    UNTESTABLE,
    WRONG,
    block,
    capture,
    expectations,
    packet_block,
    udp,
)

TABLE = """\
  - id: by-port
    says: Two packets go to port 7, three to port 9.
    at: {section: Ports, item: 2}
    measure: {table: {by: udp.dstport}}
    table: {7: 2, 9: 3}
"""


class Page(HTMLParser):
    """Elements, their attributes, and the text outside of scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[str] = []
        self.words = ""
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.styles = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.inside.append(tag)
            if tag == "script":
                self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        if self.inside and self.inside[-1] == tag:
            self.inside.pop()

    def handle_data(self, data: str) -> None:
        if self.inside == ["script"]:
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
        elif self.inside == ["style"]:
            self.styles += data
        else:
            self.words += data

    def of(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        return [
            attrs
            for name, attrs in self.elements
            if name == tag and all(attrs.get(key) == value for key, value in wanted.items())
        ]


def report(tmp_path: Path, *claims: str, content: bytes = THREE) -> Report:
    text = HEAD + "".join(claims)
    given = open_captures([capture(tmp_path, content)])
    return verify(read(text.encode(), "three.yaml"), given, pictures=True)


def page(found: Report) -> Page:
    return Page(as_text([Outcome(found, 0.1)]))


def with_claim(found: Report, **changes: Any) -> Report:
    """The report with other words in its first claim."""
    first, *rest = found.verdicts
    return replace(found, verdicts=(replace(first, claim=replace(first.claim, **changes)), *rest))


def test_the_command_writes_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    yaml = expectations(tmp_path, RIGHT, WRONG, UNTESTABLE)
    out = tmp_path / "page.html"
    assert main(["verify", str(capture(tmp_path)), "-e", str(yaml), "--html", str(out)]) == 1
    assert f"replicap: page: {out.as_uri()}\n" in capsys.readouterr().err
    made = Page(out.read_text("utf-8"))
    rows = made.of("tr", **{"role": "row"})
    assert [row.get("data-status") for row in rows if row.get("data-status")] == [
        "verified",
        "refuted",
        "not_testable",
    ]
    assert {"c-packets", "c-to-port-7", "c-who"} <= {a.get("id") for _, a in made.elements}
    assert "1 of 3 claims verified, 1 refuted, 1 not testable" in made.words
    assert "udp.dstport == 7" in [button.get("data-copy") for button in made.of("button")]
    assert "a real capture" in made.words
    assert hashlib.sha256(THREE).hexdigest() in made.words
    for text in ("Only UDP was looked at.", "The page counts port 9 as well.", "Counts"):
        assert text in made.words


def test_the_page_may_not_overwrite_what_is_read_nor_another_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    yaml, given = expectations(tmp_path, RIGHT), capture(tmp_path)
    assert main(["verify", str(given), "-e", str(yaml), "--html", str(yaml)]) == 2
    out = str(tmp_path / "out")
    assert main(["verify", str(given), "-e", str(yaml), "--html", out, "--json", out]) == 2
    assert "--json and --html: both" in capsys.readouterr().err
    assert given.read_bytes() == THREE


def test_rows_that_differ_are_marked(tmp_path: Path) -> None:
    html = as_text([Outcome(report(tmp_path, TABLE), 0.1)])
    differing = re.findall(r"<tr class=differs>(.*?)</tr>", html)
    assert len(differing) == 1
    assert re.findall(r"<bdi>(.*?)</bdi>", differing[0]) == ["9", "3", "1"]


def test_a_claim_that_was_not_run_says_why(tmp_path: Path) -> None:
    expected = read((HEAD + RIGHT).encode(), "three.yaml")
    made = Page(as_text([not_run(expected, "capture", "no such <capture>")]))
    assert "Not run. no such <capture>" in made.words
    assert "0 of 1 claims verified, 1 error" in made.words


def test_a_twin_is_told_at_the_top(tmp_path: Path) -> None:
    found = replace(report(tmp_path, RIGHT), twin=True)
    words = page(found).words
    assert "a twin" in words
    assert "a real capture" not in words
    assert words.index("it proves nothing about the author's trace") < words.index("There are")


def test_decoders_that_confirm_a_figure_are_told(tmp_path: Path) -> None:
    found = report(tmp_path, RIGHT)
    [verdict] = found.verdicts
    words = page(
        replace(
            found,
            confirmed_by=("columnar", "tshark"),
            verdicts=(replace(verdict, confirmed=3),),
        )
    ).words
    assert "(confirmed by columnar, tshark)" in words
    assert "Confirmed by 3 decoders." in words


def test_several_files_have_an_index_and_anchors_of_their_own(tmp_path: Path) -> None:
    one = Outcome(report(tmp_path, RIGHT), 0.1)
    made = Page(as_text([one, one]))
    ids = [attrs["id"] for _, attrs in made.elements if attrs.get("id")]
    assert len(ids) == len(set(ids))
    assert {"f1-packets", "f2-packets"} <= set(ids)
    targets = {a["href"] for a in made.of("a") if (a.get("href") or "").startswith("#")}
    assert targets
    assert {str(target)[1:] for target in targets} <= set(ids)


# The policy


def test_only_the_pages_own_script_and_style_may_run(tmp_path: Path) -> None:
    made = page(report(tmp_path, RIGHT, WRONG))
    [policy] = made.of("meta", **{"http-equiv": "Content-Security-Policy"})
    allowed = str(policy["content"])
    code = [text for attrs, text in made.scripts if attrs.get("type") != "application/json"]
    assert len(code) == 1
    for kind, text in (("script", code[0]), ("style", made.styles)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in allowed
    assert allowed.startswith("default-src 'none';")
    assert "unsafe" not in allowed


def test_nothing_is_loaded_and_no_element_has_code_or_style_of_its_own(tmp_path: Path) -> None:
    made = page(report(tmp_path, RIGHT, WRONG))
    for tag, attrs in made.elements:
        assert tag not in ("img", "link", "iframe", "object", "embed", "base", "video", "audio")
        assert not {"src", "srcset", "style", "poster", "background"} & set(attrs)
        assert not [name for name in attrs if name.startswith("on")]


# Hostile words

HOSTILE = (
    "</p></script><script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "{{ 7 * 7 }} {% raw %} ${7*7}",
    "\u202egnp.exe\u202c \u2066isolated\u2069 \u200f",
    "a\x00b\x1b[31mred\x07\ud800",
    "<!-- <![CDATA[ ]]> -->",
    "שלום <b>עולם</b>",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_are_text_wherever_they_stand(tmp_path: Path, text: str) -> None:
    honest = report(tmp_path, WRONG, TABLE)
    quiet = page(honest)
    found = with_claim(
        honest, says=text, note=text, interpretation=text, quote=text, id=text, tags=[text]
    )
    assert found.capture is not None
    first, *rest = found.verdicts
    verdict = replace(
        first,
        published_text=text,
        measured_text=text,
        reason=text,
        differing=(text,),
        filter=text,
    )
    found = replace(
        found,
        verdicts=(verdict, *rest),
        capture=replace(found.capture, path=text, damage=text, undecoded={text: 1}),
        expectations=replace(found.expectations, title=text, path=text),
    )
    html = as_text([Outcome(found, 0.1), Outcome(found, 0.1, not_run=text)])
    html.encode("utf-8")
    made = Page(html)
    allowed = {tag for tag, _ in quiet.elements} | {
        "table",
        "caption",
        "br",
        "blockquote",
        "strong",
    }
    assert {tag for tag, _ in made.elements} <= allowed | {"span", "ul", "li", "h2", "h4"}
    assert not made.of("script", src="x")
    assert len([1 for attrs, _ in made.scripts if attrs.get("type") is None]) == 1
    assert not [name for _, attrs in made.elements for name in attrs if name.startswith("on")]
    unseen = [char for char in html if not char.isprintable() and char != "\n"]
    assert unseen == []
    assert plain(text) in made.words


def test_ten_megabytes_of_text_are_cut_and_the_page_says_so(tmp_path: Path) -> None:
    long = "<b>&" * 2_500_000
    found = with_claim(report(tmp_path, WRONG), says=long, note=long)
    html = as_text([Outcome(found, 0.1)])
    assert len(html) < 400_000
    assert "9,998,000 more characters" in html


def test_interface_names_of_a_capture_are_text(tmp_path: Path) -> None:
    name = b"</td><script>alert('if')</script>\xe2\x80\xae"
    option = (2).to_bytes(2, "little") + len(name).to_bytes(2, "little") + name
    option += bytes(-len(name) % 4) + bytes(4)
    content = SECTION + block(1, bytes([1, 0, 0, 0, 0, 0, 0, 0]) + option)
    content += packet_block(udp(1, 2))
    claim = """\
  - id: interfaces
    says: One interface saw the packets.
    at: {section: Interfaces}
    measure: {table: {by: frame.interface_name}}
    table: {eth0: 1}
"""
    html = as_text([Outcome(report(tmp_path, claim, content=content), 0.1)])
    assert "alert(&#39;if&#39;)" in html
    assert "<script>alert" not in html
    assert "\\u202e" in html
    assert INTERFACE not in html.encode()


def test_a_capture_may_be_named_like_a_tag(tmp_path: Path) -> None:
    given = capture(tmp_path, name="<script>alert(1)<.pcap")
    out = tmp_path / "<b>.html"
    yaml = expectations(tmp_path, RIGHT, name="'><script>.yaml")
    assert main(["verify", str(given), "-e", str(yaml), "--html", str(out)]) == 0
    html = out.read_text("utf-8")
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;.pcap" in html


# Words


@pytest.mark.parametrize(
    ("text", "published", "marked"),
    [
        ("There are 29,056 packets.", "29056", ["29,056"]),
        ("Of 1018 sources 18 ping.", "18", ["18"]),
        ("It has two streams.", "2", ["two"]),
        ("Between 10 and 99 packets.", "between 10 and 99", ["10", "99"]),
        ("About 2.0 a minute, not 12.05.", "about 2.0", ["2.0"]),
        ("Version 2.5 has 5 packets.", "5", ["5"]),
        ("Nothing here.", "7", []),
        ("A <5> inside.", "5", ["5"]),
    ],
)
def test_the_published_figure_is_marked(text: str, published: str, marked: list[str]) -> None:
    html = prose(text, figures_in(published))
    assert re.findall("<mark>(.*?)</mark>", html) == marked
    assert Page(str(html)).words == text


def test_a_text_is_cut_with_a_note() -> None:
    assert plain("x" * 11, 10) == "xxxxxxxxxx… (1 more characters)"
    assert plain("a\u00a0b\tc") == "a b c"
    assert plain("\u202e\x00") == "\\u202e\\x00"


# Plots


def test_points_and_tables_say_what_is_in_the_capture(tmp_path: Path) -> None:
    made = page(report(tmp_path, RIGHT))
    titles = {"c-plot-time", "c-plot-ports", "c-plot-sources", "c-plot-map", "c-plot-ttl"}
    assert titles <= {figure.get("id") for figure in made.of("figure")}
    points = [json.loads(text) for attrs, text in made.scripts if attrs.get("type")]
    words = [point[2] for several in points for point in several]
    assert "UDP port 7\n2 packets" in words
    assert "TTL 64\n3 packets" in words
    assert "192.0.0.0 to 195.255.255.255\nports 4 to 15\n3 packets" in words
    assert "1 IPv4 source\n3 packets each" in words


def test_without_pictures_the_page_has_no_plot(tmp_path: Path) -> None:
    found = replace(report(tmp_path, RIGHT), pictures=())
    assert page(found).of("figure") == []
