"""Compression and archives: recognised by content, bounded, and damaged in one line."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from decoders import wrapping
from decoders.containers import open_captures
from decoders.frames import CaptureError, Frame
from tests.decoders.capture_bytes import epb, idb, pcap_header, pcap_record, shb

PCAP = pcap_header() + b"".join(pcap_record(n, 0, bytes([n]) * 40) for n in range(5))
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "zst": zstandard.ZstdCompressor().compress,
    "xz": lzma.compress,
    "bz2": bz2.compress,
}


def frames_of(path: Path | str) -> list[Frame]:
    capture = open_captures([path])
    frames = list(capture.frames())
    assert capture.damage is None
    return frames


def put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def zipped(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def line(path: Path | str) -> str:
    with pytest.raises(CaptureError) as caught:
        open_captures([path])
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("kind", COMPRESS)
def test_compressed_whatever_the_name_says(kind: str, tmp_path: Path) -> None:
    path = put(tmp_path / "capture.txt", COMPRESS[kind](PCAP))
    assert open_captures([path]).format == f"pcap+{kind}"
    assert frames_of(path) == frames_of(put(tmp_path / "plain.gz", PCAP))


@pytest.mark.parametrize("kind", COMPRESS)
def test_several_members_one_after_the_other(kind: str, tmp_path: Path) -> None:
    pack = COMPRESS[kind]
    path = put(tmp_path / "c", pack(PCAP[:30]) + pack(b"") + pack(PCAP[30:]))
    assert len(frames_of(path)) == 5


def test_xz_stream_padding_and_zstd_skippable_frame(tmp_path: Path) -> None:
    padded = lzma.compress(PCAP[:99]) + bytes(8) + lzma.compress(PCAP[99:]) + bytes(4)
    assert len(frames_of(put(tmp_path / "a", padded))) == 5
    skippable = b"\x50\x2a\x4d\x18\x04\0\0\0abcd" + COMPRESS["zst"](PCAP)
    assert len(frames_of(put(tmp_path / "b", skippable))) == 5


@pytest.mark.parametrize("kind", COMPRESS)
def test_cut_stream_gives_frames_and_damage(kind: str, tmp_path: Path) -> None:
    data = pcap_header() + pcap_record(1, 0, bytes(range(256))) * 2
    pack = COMPRESS[kind]
    capture = open_captures([put(tmp_path / "c", pack(data) + pack(data[24:])[:-9])])
    frames = list(capture.frames())
    assert len(frames) >= 2
    assert capture.damage is not None
    assert capture.damage.found.startswith(f"{kind} data that ends too early, after ")
    assert capture.damage.offset == 24 + len(frames) * 272


@pytest.mark.parametrize("kind", COMPRESS)
def test_garbage_behind_the_stream_is_damage(kind: str, tmp_path: Path) -> None:
    capture = open_captures([put(tmp_path / "c", COMPRESS[kind](PCAP) + b"garbage" * 9)])
    assert len(list(capture.frames())) == 5
    assert capture.damage is not None
    assert capture.damage.offset == len(PCAP)
    assert f"corrupt {kind} data" in str(capture.damage)


def test_wrong_checksum_is_damage(tmp_path: Path) -> None:
    packed = gzip.compress(PCAP)
    capture = open_captures([put(tmp_path / "c", packed[:-8] + bytes(4) + packed[-4:])])
    assert len(list(capture.frames())) == 5
    assert "incorrect data check" in str(capture.damage)


def test_stream_corrupt_before_the_header_is_an_error(tmp_path: Path) -> None:
    assert "offset 0: found corrupt gz data" in line(put(tmp_path / "c", b"\x1f\x8b" + b"\xa5" * 9))
    assert "gz data that ends too early" in line(put(tmp_path / "d", gzip.compress(PCAP)[:12]))


def test_zip_with_one_capture_needs_no_name(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a", {"readme.txt": b"hello", "../x/c.pcap": PCAP, "d/": b""})
    assert open_captures([path]).format == "pcap+zip"
    assert len(frames_of(path)) == 5
    assert len(frames_of(f"{path}!../x/c.pcap")) == 5


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_methods(method: int, tmp_path: Path) -> None:
    assert len(frames_of(zipped(tmp_path / "a", {"c.pcap": PCAP}, method))) == 5


def test_zip_member_may_be_compressed(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"c.pcap.gz": gzip.compress(PCAP)})
    assert open_captures([path]).format == "pcap+gz+zip"
    assert len(frames_of(path)) == 5


def test_zip_with_several_captures_asks_for_a_name(tmp_path: Path) -> None:
    members = {"b.pcap": PCAP, "a.pcapng": shb() + idb() + epb(1, b"x"), "c.txt": b"text"}
    path = zipped(tmp_path / "a.zip", members)
    assert "found 2 captures: b.pcap, a.pcapng" in line(path)
    assert len(frames_of(f"{path}!a.pcapng")) == 1
    assert "no member 'a.pcap', expected 'a.pcapng'" in line(f"{path}!a.pcap")
    assert "text ('text')" in line(f"{path}!c.txt")


def test_zip_without_a_capture(tmp_path: Path) -> None:
    assert "without a readable capture (a, b)" in line(
        zipped(tmp_path / "z", {"a": b"1", "b": b"2"})
    )
    assert "an empty zip archive" in line(zipped(tmp_path / "e", {}))


def test_zip_of_very_many_members_asks_for_a_name(tmp_path: Path) -> None:
    path = zipped(tmp_path / "z", {f"{n}.pcap": b"" for n in range(1001)})
    assert "a zip archive of 1001 members" in line(path)


def test_zip_trouble(tmp_path: Path) -> None:
    nameless = zipped(tmp_path / "0", {"QQ": b"text"}).read_bytes().replace(b"QQ", b"\0\0")
    assert "text ('text')" in line(put(tmp_path / "0", nameless))
    path = zipped(tmp_path / "z", {"c.pcap": PCAP}, zipfile.ZIP_STORED)
    data = path.read_bytes()
    at, entry = data.index(b"PK\3\4"), data.index(b"PK\1\2")

    def patched(offset: int, value: bytes) -> bytes:
        out = bytearray(data)
        for start in (at + offset, entry + offset + 2):
            out[start : start + len(value)] = value
        return bytes(out)

    assert "an encrypted zip member" in line(put(tmp_path / "1", patched(6, b"\1")))
    assert "zip compression method 97" in line(put(tmp_path / "2", patched(8, b"\x61")))
    assert "a damaged zip archive" in line(put(tmp_path / "3", data[:-30]))
    assert "before the '!'" in line(f"{put(tmp_path / 'c.pcap', PCAP)}!c")


def test_wrong_zip_checksum_is_damage(tmp_path: Path) -> None:
    records = b"".join(pcap_record(n, 0, bytes([n]) * 40) for n in range(250))
    path = zipped(tmp_path / "z", {"c.pcap": pcap_header() + records}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"\4" * 40, b"\5" * 40))
    capture = open_captures([path])
    assert 100 < len(list(capture.frames())) <= 250
    assert "Bad CRC-32" in str(capture.damage)


def test_nesting_is_bounded(tmp_path: Path) -> None:
    twice = gzip.compress(bz2.compress(PCAP))
    assert open_captures([put(tmp_path / "2", twice)]).format == "pcap+bz2+gz"
    assert "found xz in bz2 in gz, expected at most 2 wrappings" in line(
        put(tmp_path / "3", gzip.compress(bz2.compress(lzma.compress(PCAP))))
    )
    inner = zipped(tmp_path / "in.zip", {"c.pcap": PCAP}).read_bytes()
    assert "a zip archive inside gz" in line(put(tmp_path / "4", gzip.compress(inner)))
    assert "a zip archive inside zip" in line(zipped(tmp_path / "5", {"in.zip": inner}))


def equal_records() -> bytes:
    return pcap_header() + pcap_record(0, 0, bytes(65520)) * (48 << 4)


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrapping, "FREE_OCTETS", 36 << 20)


@pytest.mark.usefixtures("small_limit")
@pytest.mark.parametrize("kind", ["zst", "xz", "bz2"])
def test_bomb_is_bounded(kind: str, tmp_path: Path) -> None:
    assert_bomb(put(tmp_path / "bomb", COMPRESS[kind](equal_records())))


@pytest.mark.usefixtures("small_limit")
def test_gzip_bomb_in_gzip_is_bounded(tmp_path: Path) -> None:
    assert_bomb(put(tmp_path / "bomb", gzip.compress(gzip.compress(equal_records()))))


@pytest.mark.usefixtures("small_limit")
def test_zip_bomb_is_bounded(tmp_path: Path) -> None:
    assert_bomb(zipped(tmp_path / "bomb", {"c": equal_records()}, zipfile.ZIP_LZMA))


def assert_bomb(path: Path) -> None:
    capture = open_captures([path])
    tracemalloc.start()
    count = sum(1 for _ in capture.frames())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0 < count < 48 << 4
    assert peak < 96 << 20
    assert capture.damage is not None
    assert "octets decompressed from" in str(capture.damage)
    assert "\n" not in str(capture.damage)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"\x04\x22\x4d\x18" + bytes(60), "lz4-compressed data"),
        (b"PK\x05\x06" + bytes(18), "an empty zip archive"),
        (b"hello\nworld\n", "text ('hello')"),
        (b"\x7fELF" + bytes(60), '7f 45 4c 46 (".ELF")'),
    ],
)
def test_what_else_is_named(data: bytes, found: str, tmp_path: Path) -> None:
    path = put(tmp_path / "x.pcap", data)
    assert line(path) == f"{path}: offset 0: found {found}, expected a pcap or pcapng magic"


@settings(max_examples=30)
@given(
    st.lists(st.binary(max_size=60), max_size=8),
    st.lists(st.sampled_from(sorted(COMPRESS)), min_size=1, max_size=2),
)
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory, packets: list[bytes], kinds: list[str]
) -> None:
    data = pcap_header() + b"".join(pcap_record(1, 2, packet) for packet in packets)
    for kind in kinds:
        data = COMPRESS[kind](data)
    path = put(tmp_path_factory.mktemp("trip") / "c", data)
    assert [frame.data for frame in frames_of(path)] == packets
