"""The door: what opens, what is refused, several captures as one, and real captures."""

from __future__ import annotations

import gzip
import hashlib
import os
import tracemalloc
from decimal import Decimal
from pathlib import Path

import pytest

from decoders.containers import capture_files, open_captures
from decoders.frames import CaptureError, Damage, Frame, Interface
from tests.decoders.capture_bytes import NS, custom, epb, idb, pcap_header, pcap_record, shb, spb


def put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def line(path: Path | str) -> str:
    with pytest.raises(CaptureError) as caught:
        open_captures([path])
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_capture_is_read_anew_each_time(tmp_path: Path) -> None:
    data = pcap_header() + pcap_record(1, 2, b"abc") + pcap_record(2, 2, b"abcd")[:-1]
    path = put(tmp_path / "c.pcap", data)
    capture = open_captures([path])
    assert (capture.path, capture.format, capture.damage) == (str(path), "pcap", None)
    first = list(capture.frames())
    assert first == [Frame(1, 1_000_002_000, 3, b"abc", Interface(1))]
    damage = Damage(
        str(path), 43, "the end of the file after 19 octets of a pcap record", "a whole pcap record"
    )
    assert capture.damage == damage
    assert str(damage).startswith(f"{path}: offset 43: found the end of the file")
    assert list(capture.frames()) == first
    assert capture.damage == damage
    assert capture.sha256 == hashlib.sha256(data).hexdigest()


def test_formats(tmp_path: Path) -> None:
    ns = put(tmp_path / "a", pcap_header(NS))
    ng = put(tmp_path / "b", gzip.compress(shb(">") + idb(order=">")))
    assert open_captures([ns]).format == "pcap-ns"
    assert open_captures([ng]).format == "pcapng+gz"
    capture = open_captures([ns, ng, ns])
    assert capture.format == "pcap-ns,pcapng+gz"
    assert capture.path == f"{ns} + {ng} + {ns}"
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (ns, ng, ns)]
    assert capture.sha256 == hashlib.sha256("\n".join(digests).encode()).hexdigest()
    assert list(capture.frames()) == []


def test_refused_at_once(tmp_path: Path) -> None:
    assert line(tmp_path / "none.pcap").endswith(
        "none.pcap: found no such file or directory, expected a readable capture file"
    )
    assert line(tmp_path) == f"{tmp_path}: found a directory, expected a regular file"
    os.mkfifo(tmp_path / "fifo")
    assert "found a FIFO" in line(tmp_path / "fifo")
    assert "found a device" in line("/dev/null")
    assert "found standard input" in line("-")
    assert "null byte" in line("a\0b")
    assert "an empty file (0 octets)" in line(put(tmp_path / "empty", b""))
    assert "an empty capture (0 octets)" in line(put(tmp_path / "empty.gz", gzip.compress(b"")))
    assert 'offset 0: found d4 c3 b2 ("...")' in line(put(tmp_path / "3", pcap_header()[:3]))
    assert "offset 0: found the end of the file after 20 octets" in line(
        put(tmp_path / "cut", pcap_header()[:20])
    )
    assert "offset 4: found pcap version 1.0" in line(
        put(tmp_path / "old", pcap_header(version=(1, 0)))
    )
    with pytest.raises(ValueError, match="at least one path"):
        open_captures([])


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (shb()[:11], "the end of the file after 11 octets"),
        (shb(pairs=[(4, b"app")])[:-1], "the end of the file after 39 octets of a Section Header"),
        (shb(version=(2, 0)), "pcapng version 2.0"),
        (shb()[:8] + b"abcd" + shb()[12:], "byte-order magic 61 62 63 64"),
        (shb()[:4] + b"\4\0\0\0" + shb()[8:], "Section Header Block of 4 octets"),
        (shb()[:-4] + b"\4\0\0\0", "block length 28 at the start and 4 at the end"),
    ],
)
def test_pcapng_without_a_section_is_refused(data: bytes, found: str, tmp_path: Path) -> None:
    assert f"offset 0: found {found}" in line(put(tmp_path / "c", data))


def test_file_that_went_away(tmp_path: Path) -> None:
    path = put(tmp_path / "c", pcap_header())
    capture = open_captures([path])
    path.unlink()
    with pytest.raises(CaptureError, match="no such file"):
        list(capture.frames())
    with pytest.raises(CaptureError, match="no such file"):
        _ = capture.sha256


def test_file_name_with_exclamation_mark(tmp_path: Path) -> None:
    path = put(tmp_path / "wow!.pcap", pcap_header() + pcap_record(1, 0, b"x"))
    assert len(list(open_captures([path]).frames())) == 1


def test_several_captures_are_merged_as_mergecap_does(tmp_path: Path) -> None:
    """The order of heads was taken from mergecap 4.0.17: of equal times the last file's is first,
    and nothing is sorted inside a file."""

    def pcap(name: str, records: list[tuple[int, bytes]]) -> Path:
        return put(
            tmp_path / name, pcap_header() + b"".join(pcap_record(t, 0, d) for t, d in records)
        )

    a = pcap("a", [(1, b"a1"), (5, b"a5"), (2, b"a2")])
    b = pcap("b", [(1, b"b1"), (3, b"b3"), (5, b"b5")])
    frames = list(open_captures([a, b]).frames())
    assert [f.data for f in frames] == [b"b1", b"a1", b"b3", b"b5", b"a5", b"a2"]
    assert [f.number for f in frames] == [1, 2, 3, 4, 5, 6]
    assert frames[0].interface == Interface(1, 1, 1)
    assert frames[1].interface == Interface(1, 0, 1)


def test_frames_without_a_time_come_as_soon_as_they_are_at_the_head(tmp_path: Path) -> None:
    head = shb() + idb()
    a = put(tmp_path / "a", head + epb(5, b"a5") + spb(b"a-") + epb(6, b"a6"))
    b = put(tmp_path / "b", head + spb(b"b-") + epb(2, b"b2") + custom(1, b"b--.") + epb(3, b"b3"))
    frames = list(open_captures([a, b]).frames())
    assert [f.data for f in frames] == [b"b-", b"b2", b"b--.", b"b3", b"a5", b"a-", b"a6"]
    assert frames[2].interface == Interface(-1, None, 1)


def test_merged_interfaces_have_numbers_of_their_own(tmp_path: Path) -> None:
    two = shb() + idb(pairs=[(2, b"e0")]) + idb(113, pairs=[(2, b"e1")]) + epb(7_000_000, b"x", 1)
    a = put(tmp_path / "a", two + shb() + idb(pairs=[(2, b"e2")]) + epb(8_000_000, b"y"))
    flags = [(2, b"\x80\0\0\0")]
    a.write_bytes(a.read_bytes() + epb(9_000_000, b"z", pairs=flags))
    b = put(tmp_path / "b", pcap_header(link=101) + pcap_record(1, 0, b"p"))
    assert [f.interface for f in open_captures([a, b]).frames()] == [
        Interface(101, 1, 1),
        Interface(113, 0, 1, "e1"),
        Interface(1, 2, 1, "e2"),
        Interface(1, 2, 1, "e2", 4),
    ]


def test_damage_of_one_of_several_does_not_stop_the_others(tmp_path: Path) -> None:
    a = put(
        tmp_path / "a", (pcap_header() + pcap_record(1, 0, b"a1") + pcap_record(2, 0, b"a2"))[:-1]
    )
    b = put(tmp_path / "b", pcap_header() + pcap_record(3, 0, b"b3"))
    capture = open_captures([a, b])
    assert [f.data for f in capture.frames()] == [b"a1", b"b3"]
    assert capture.damage is not None
    assert (capture.damage.path, capture.damage.offset) == (str(a), 42)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = put(tmp_path / "c", pcap_header() + pcap_record(1, 0, bytes(1400)) * 30_000)
    assert path.stat().st_size > 40 << 20
    tracemalloc.start()
    assert sum(1 for _ in open_captures([path]).frames()) == 30_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 << 20


def test_capture_files_goes_by_content(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    put(tmp_path / "b.txt", pcap_header())
    put(tmp_path / "sub" / "a", gzip.compress(shb()))
    put(tmp_path / "c.pcap", b"text")
    put(tmp_path / "d.pcap", b"")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(tmp_path / "b.txt")
    found = list(capture_files([tmp_path, tmp_path / "sub"]))
    assert found == [tmp_path / "b.txt", tmp_path / "sub" / "a"]


def real_captures() -> list[tuple[Path, Path]]:
    directories = os.environ.get("REPLICAP_CAPTURES", "").split(os.pathsep)
    truths = [t for d in directories if d for t in sorted(Path(d).rglob("*.truth.tsv.gz"))]
    pairs = [(t.with_name(t.name.removesuffix(".truth.tsv.gz")), t) for t in truths]
    return [pair for pair in pairs if pair[0].is_file()]


def nanoseconds(text: str) -> int | None:
    """``S.FFF`` as tshark prints it; a fraction of a second or more has more than nine digits."""
    if not text:
        return None
    seconds, _, fraction = text.partition(".")
    return int(Decimal(seconds) * 10**9 + int(fraction))


def test_real_captures_are_as_tshark_reads_them() -> None:
    pairs = real_captures()
    if not pairs:
        pytest.skip("REPLICAP_CAPTURES is not set, or names no directory with truth files")
    for path, truth in pairs:
        lines = gzip.decompress(truth.read_bytes()).decode().splitlines()
        rows = [text.split("\t")[:4] for text in lines]
        assert rows[0] == ["frame.number", "frame.time_epoch", "frame.len", "frame.cap_len"]
        published = [(int(n), nanoseconds(t), int(w), int(c)) for n, t, w, c in rows[1:]]
        capture = open_captures([path])
        # A fraction of 4,211 seconds: tshark's 32 bits overflow, and the time goes below zero.
        overflowed = {int(row[0]) for row in rows[1:] if row[1].startswith("-")}
        measured = [
            (
                f.number,
                published[f.number - 1][1] if f.number in overflowed else f.time_ns,
                f.wire_length,
                len(f.data),
            )
            for f in capture.frames()
        ]
        # Behind damage Wireshark may guess another record layout and find more.
        assert len(measured) == len(published) or capture.damage is not None, path
        assert measured == published[: len(measured)], path
