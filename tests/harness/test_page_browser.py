"""The page in a real browser: it paints at once, asks for nothing, and everybody can use it."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from decoders.containers import open_captures
from harness.cli import main
from harness.engine import verify
from harness.expectation import Place, read
from harness.report.html.page import as_text
from harness.report.outcome import Outcome
from tests.harness.command_cases import HEAD, pcap
from tests.harness.page_browser import FIRST_PAINT, OVERFLOWING, chromium, missing, window

if reason := missing():
    pytest.skip(reason, allow_module_level=True)

SERIOUS = ("serious", "critical")

CLAIMS = """\
stages:
  - id: original
  - id: scans
    from: original
    filter: "!(icmp)"
claims:
  - id: packets
    says: The file has 600 packets.
    at: {section: Counts, item: 1}
    tags: [counts]
    measure: packets
    equals: 600
  - id: rate
    says: About one packet a second.
    at: {section: Counts, item: 2}
    tags: [time]
    measure: {rate: second}
    about: 1.0
    interpretation: From the first packet to the last.
  - id: ports
    says: Port 23 gets more packets than port 22.
    at: {url: "https://example.org/figures#ports"}
    tags: [ports, counts]
    stage: scans
    measure: {largest: {by: tcp.dstport, n: 2}}
    order: [23, 22]
  - id: refuted-ports
    says: Port 23 gets 3 packets and port 22 gets none.
    at: {section: Ports}
    tags: [ports]
    stage: scans
    where: tcp.flags.syn == 1
    measure: {table: {by: tcp.dstport}}
    rows: {23: 3, 22: 0}
    note: "The publisher's page is wrong: \\"<b>\\"."
  - id: sources
    says: Every source is seen, in a statement without any space such as PLACEHOLDER.
    at: {section: Sources}
    stage: scans
    measure: {no: "ip.src == 10.0.0.1 && tcp.dstport == 1"}
  - id: who
    says: The owner is known.
    at: {section: Owner}
    tags: [people]
    not_testable: needs the operator's word
"""


def probe(source: int, port: int, ttl: int) -> bytes:
    """Ethernet, IPv4 from a 32-bit source, a TCP SYN to a port."""
    tcp = struct.pack(">HHIIBBHHH", 40000 + source % 999, port, source, 0, 0x50, 2, 1024, 0, 0)
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, 40, 1, 0, ttl, 6, 0, source, 0xC0000202)
    return bytes.fromhex("020000000002 020000000001 0800") + ip + tcp


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of 600 packets in ten minutes, with a claim of every kind of verdict but error."""
    folder = tmp_path_factory.mktemp("page")
    chance = random.Random(7)
    frames = [
        probe(
            chance.randrange(1 << 24, 224 << 24),
            chance.choice([23, 23, 23, 22, 22, 80, 1433, 50000]),
            chance.randrange(30, 250),
        )
        for _ in range(600)
    ]
    (folder / "noise.pcap").write_bytes(pcap(*frames))
    text = HEAD.replace("claims:\n", "") + CLAIMS.replace("PLACEHOLDER", "x" * 300)
    (folder / "noise.yaml").write_text(text, "utf-8")
    out = folder / "page.html"
    given = ["verify", str(folder / "noise.pcap"), "-e", str(folder / "noise.yaml")]
    assert main([*given, "--html", str(out)]) == 1
    return out


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.mark.parametrize("width", [360, 800, 1200])
@pytest.mark.parametrize("dark", [False, True])
def test_it_paints_at_once_and_says_nothing_asks_nothing_overflows_nothing(
    browser: Any, made: Path, width: int, dark: bool
) -> None:
    with window(browser, made, width=width, dark=dark) as shown:
        assert shown.ask(FIRST_PAINT) < 1000
        shown.ask("() => document.querySelectorAll('details').forEach((one) => one.open = true)")
        assert shown.ask(OVERFLOWING) == []
        assert shown.requests == []
        assert shown.complaints == []


@pytest.mark.parametrize(("width", "dark"), [(360, False), (1200, False), (1200, True)])
def test_axe_finds_nothing_serious(browser: Any, made: Path, width: int, dark: bool) -> None:
    from axe_playwright_python.sync_playwright import Axe

    with window(browser, made, width=width, dark=dark) as shown:
        shown.ask("() => document.querySelectorAll('details').forEach((one) => one.open = true)")
        found = Axe().run(shown.page).response["violations"]
        serious = [
            (one["id"], [node["html"][:120] for node in one["nodes"]][:3])
            for one in found
            if one["impact"] in SERIOUS
        ]
        assert serious == []


def test_axe_would_find_something(browser: Any, made: Path, tmp_path: Path) -> None:
    from axe_playwright_python.sync_playwright import Axe

    broken = tmp_path / "broken.html"
    html = made.read_text("utf-8").replace("<main", "<button></button><main", 1)
    broken.write_text(html, "utf-8")
    with window(browser, broken) as shown:
        found = Axe().run(shown.page).response["violations"]
        assert "button-name" in [one["id"] for one in found if one["impact"] in SERIOUS]


def visible(shown: Any) -> list[str]:
    found: list[str] = shown.ask(
        "() => [...document.querySelectorAll('tr.claim')]"
        ".filter((row) => row.checkVisibility()).map((row) => row.id)"
    )
    return found


def test_claims_are_filtered_by_verdict_stage_and_tag(browser: Any, made: Path) -> None:
    with window(browser, made) as shown:
        assert len(visible(shown)) == 6
        shown.page.select_option("select[name=tag]", "counts")
        assert visible(shown) == ["c-packets", "c-ports"]
        shown.page.select_option("select[name=stage]", "scans")
        assert visible(shown) == ["c-ports"]
        shown.page.select_option("select[name=tag]", "")
        shown.page.uncheck("input[value=verified]")
        assert visible(shown) == ["c-refuted-ports"]
        assert shown.page.inner_text("output") == "1 of 6 claims"
        assert not shown.page.is_visible(".heading:text-is('Owner')")


def test_a_link_to_a_claim_shows_it_whatever_the_filters_hide(browser: Any, made: Path) -> None:
    with window(browser, made) as shown:
        shown.page.uncheck("input[value=not_testable]")
        assert "c-who" not in visible(shown)
        shown.ask("() => { location.hash = '#c-who'; }")
        shown.page.wait_for_selector("#c-who", state="visible")
        assert shown.page.is_visible("#c-who")


def test_a_refuted_claim_opens_to_the_rows_that_differ(browser: Any, made: Path) -> None:
    with window(browser, made) as shown:
        row = shown.page.locator("#c-refuted-ports")
        assert row.locator("tr.differs").count() == 2
        assert row.locator("tr.differs").first.is_visible()
        row.locator("summary").click()
        assert not row.locator("tr.differs").first.is_visible()


def test_a_filter_is_copied_as_it_is(browser: Any, made: Path) -> None:
    with window(browser, made) as shown:
        shown.page.click("#c-refuted-ports button.copy")
        shown.page.wait_for_function(
            "() => document.querySelector('#c-refuted-ports button').textContent"
            ".startsWith('Copied')"
        )
        text = shown.ask("() => navigator.clipboard.readText()")
        assert text == "(tcp.flags.syn == 1) && (tcp.dstport)"


def test_every_plot_is_drawn_and_has_its_table(browser: Any, made: Path) -> None:
    kinds = ["time", "ports", "sources", "map", "ttl", "classes", "streams"]
    with window(browser, made) as shown:
        for kind in kinds:
            figure = shown.page.locator(f"#c-plot-{kind}")
            drawing = figure.locator(".drawing:visible svg")
            assert drawing.count() == 1
            box = drawing.bounding_box()
            assert box is not None
            assert box["width"] > 200
            assert box["height"] > 20
            assert drawing.locator("path, rect, circle").count() > 0
            assert figure.locator("tbody tr").count() > 0


def test_values_are_read_by_pointer_and_by_keys(browser: Any, made: Path) -> None:
    with window(browser, made) as shown:
        drawing = shown.page.locator("#c-plot-ports .drawing:visible")
        drawing.scroll_into_view_if_needed()
        drawing.hover(position={"x": 200, "y": 10})
        readout = drawing.locator(".readout")
        assert readout.inner_text().startswith("TCP port 23\n")
        shown.page.mouse.move(0, 0)
        assert not readout.is_visible()
        drawing.focus()
        shown.page.keyboard.press("ArrowDown")
        shown.page.keyboard.press("ArrowDown")
        assert readout.inner_text().startswith("TCP port ")
        shown.page.keyboard.press("Home")
        assert readout.inner_text().startswith("TCP port 23\n")
        shown.page.keyboard.press("Escape")
        assert not readout.is_visible()


def test_everything_can_be_reached_by_the_tabulator(browser: Any, made: Path) -> None:
    with window(browser, made) as shown:
        reached: set[str] = set()
        for _ in range(120):
            shown.page.keyboard.press("Tab")
            reached.add(
                shown.ask(
                    "() => `${document.activeElement.tagName}."
                    "${document.activeElement.className.split(' ')[0]}`"
                )
            )
        assert {"A.skip", "INPUT.", "SELECT.", "BUTTON.copy", "DIV.drawing", "SUMMARY."} <= reached


def test_without_scripts_everything_can_be_read(browser: Any, made: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(made.resolve().as_uri())
        assert page.locator("tr.claim:visible").count() == 6
        assert not page.is_visible("form.filters")
    finally:
        context.close()


def test_injected_code_does_not_run(browser: Any, made: Path, tmp_path: Path) -> None:
    """Should markup of a capture ever reach the page, the policy is what stops it."""
    html = made.read_text("utf-8")
    evil = "<script>document.title = 'owned'</script><img src='https://example.org/x.png'>"
    evil += "<p onclick=\"document.title = 'owned'\" id=p>x</p>"
    broken = tmp_path / "broken.html"
    broken.write_text(html.replace("<main", f"{evil}<main", 1), "utf-8")
    with window(browser, broken) as shown:
        shown.ask("() => document.getElementById('p').click()")
        assert shown.page.title() != "owned"
        assert [one for one in shown.complaints if "Content Security Policy" in one]


@pytest.mark.parametrize("width", [360, 1200])
def test_hostile_words_leave_the_page_whole(browser: Any, tmp_path: Path, width: int) -> None:
    text = "</td></table><script>document.title='owned'</script><img src=x> \u202egnp\u2066 \x00 "
    folder = tmp_path / "<img src=x onerror=alert(1)>"
    folder.mkdir()
    (folder / "a.pcap").write_bytes(pcap(probe(1, 23, 64)))
    expected = read(
        (HEAD + "  - {id: a, says: b, at: {section: c}, measure: packets, equals: 2}\n").encode(),
        str(folder / "a.yaml"),
    )
    report = verify(expected, open_captures([folder / "a.pcap"]), pictures=True)
    [verdict] = report.verdicts
    hostile = replace(verdict.claim, says=text * 50_000, note=text, at=Place(section=text))
    report = replace(
        report,
        expectations=replace(expected, title=text),
        verdicts=(replace(verdict, claim=hostile, measured_text=text, filter=text),) * 3,
    )
    page = tmp_path / "page.html"
    page.write_text(as_text([Outcome(report, 0.1)]), "utf-8")
    with window(browser, page, width=width) as shown:
        assert shown.page.title() != "owned"
        assert shown.page.locator("img").count() == 0
        assert shown.page.locator("tr.claim:visible").count() == 3
        assert shown.page.locator("figure:visible").count() >= 5
        assert shown.page.is_visible("footer")
        assert shown.ask(OVERFLOWING) == []
        assert shown.complaints == []
        assert shown.requests == []


def test_print_shows_tables_of_what_differs_and_no_controls(browser: Any, made: Path) -> None:
    with window(browser, made, width=700) as shown:
        shown.page.emulate_media(media="print")
        assert shown.page.locator("tr.differs:visible").count() == 2
        cells = shown.page.locator("tr.differs").first.locator("td")
        tops = {cells.nth(place).bounding_box()["y"] for place in range(3)}
        assert len(tops) == 1
        for hidden in ("form.filters", "button.copy"):
            assert shown.page.locator(f"{hidden}:visible").count() == 0
        assert shown.page.locator("td.filter code:visible").count() > 0
