"""tshark as a decoder: what is said when it is missing or sees other packets than the file has."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from decoders import tshark
from decoders.containers import open_captures
from decoders.frames import CaptureError
from tests.decoders.capture_bytes import epb, idb, pcap_header, pcap_record, shb
from tests.decoders.frame_bytes import eth, ipv4, udp

FRAME = eth(0x0800, ipv4(17, udp(1, 2, b"abc")))


def capture(path: Path, *records: bytes) -> Path:
    path.write_bytes(pcap_header() + b"".join(records))
    return path


def test_without_tshark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    opened = open_captures([capture(tmp_path / "a.pcap", pcap_record(1, 0, FRAME))])
    with pytest.raises(CaptureError, match="no tshark on this machine"):
        list(tshark.rows(opened))
    assert tshark.version_text() == ""
    assert not tshark.is_installed()


def standing_in(folder: Path, lines: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program called tshark that prints some lines."""
    program = folder / "tshark"
    program.write_text(f"#!{shutil.which('sh')}\nprintf '{lines}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_a_tshark_that_sees_other_packets_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_captures([capture(tmp_path / "a.pcap", pcap_record(1, 0, FRAME))])
    standing_in(tmp_path, r"\n", monkeypatch)
    with pytest.raises(CaptureError) as caught:
        list(tshark.rows(opened, ["ip.src"]))
    assert caught.value.found == "0 packets from tshark"
    assert caught.value.expected == "1 packets"


def test_the_first_line_of_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    standing_in(tmp_path, r"TShark (Wireshark) 4.0.17\nCopyright\n", monkeypatch)
    assert tshark.version_text() == "TShark (Wireshark) 4.0.17"


@pytest.mark.skipif(not tshark.is_installed(), reason="no tshark here")
def test_versions_of_an_inner_header_are_not_counted_twice(tmp_path: Path) -> None:
    quoted = ipv4(1, b"\3\1\0\0\0\0\0\0" + ipv4(17, udp(1, 2)), "192.0.2.9", "192.0.2.1")
    tunnel = ipv4(41, b"\x60\0\0\0\0\x08\x11\x40" + bytes(32) + udp(3, 4))
    records = [pcap_record(1, 0, eth(0x0800, packet)) for packet in (quoted, tunnel)]
    opened = open_captures([capture(tmp_path / "a.pcap", *records)])
    first, second = tshark.rows(opened, ["ip.version", "ip.src", "ipv6.src"])
    assert (first.own["ip.version"], first.quoted["ip.version"]) == ([4], [4])
    assert second.own["ip.version"] == [4, 6]
    assert "ip.version" not in second.quoted


@pytest.mark.skipif(not tshark.is_installed(), reason="no tshark here")
def test_what_is_copied_for_tshark_keeps_its_frame_check_sequence(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    frame = FRAME + bytes(60 - len(FRAME))
    packets = [epb(n, frame + b"\xde\xad\xbe\xef") for n in (1, 2)]
    path.write_bytes(shb() + idb(pairs=[(13, b"\x04")]) + b"".join(packets))
    (row,) = tshark.rows(open_captures([path]), ["eth.fcs"], keep=[False, True])
    assert row.own["eth.fcs"] == [0xDEADBEEF]
