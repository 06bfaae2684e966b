"""The byte builders: literal bytes, and what two decoders find in one packet of each."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from decoders.containers import open_captures
from decoders.table import decode
from generators import capture_file, control, packets
from generators.packets import Segment
from tests.generators import packet_samples

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark not installed")


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    path = tmp_path / "sample.pcapng"
    path.write_bytes(
        capture_file.pcapng(
            packet_samples.capture(), application="replicap twin 1", comment="twin of x.yaml"
        )
    )
    return path


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (bytes.fromhex("0001f203f4f5f6f7"), 0x220D),  # RFC 1071 section 3: the sum is ddf2
        (b"", 0xFFFF),
        (b"\0\0", 0xFFFF),
        (b"\xff\xff", 0),
        (b"\x01", 0xFEFF),
        (bytes.fromhex("45000073000040004011 0000 c0a80001c0a800c7"), 0xB861),
    ],
)
def test_checksum(data: bytes, expected: int) -> None:
    assert packets.checksum(data) == expected


def test_ipv4_header_is_the_known_one() -> None:
    built = packets.ipv4(bytes(95), src="192.168.0.1", dst="192.168.0.199", protocol=17)
    assert built[:20].hex() == "4500007300004000" + "4011b861" + "c0a80001" + "c0a800c7"


def test_udp_sum_of_zero_is_sent_as_ones() -> None:
    built = packets.udp(
        bytes.fromhex("97da"), src="0.0.0.0", dst="0.0.0.0", srcport=0x5800, dstport=0x1000
    )
    assert built[6:8] == b"\xff\xff"


def test_short_frames_are_padded_and_tagged() -> None:
    frame = packets.ethernet(b"\xa5", dst=bytes(6), src=b"\1" * 6, ethertype=0x0800, vlan_id=7)
    assert frame.hex() == "000000000000" + "010101010101" + "81000007" + "0800" + "a5" + "00" * 41


@pytest.mark.parametrize("vlan_id", [-1, 4096])
def test_vlan_ids_have_12_bits(vlan_id: int) -> None:
    with pytest.raises(ValueError, match="12 bits"):
        packets.ethernet(b"", dst=bytes(6), src=bytes(6), ethertype=0x0800, vlan_id=vlan_id)


def test_too_many_tcp_options_are_refused() -> None:
    with pytest.raises(ValueError, match="40 fit"):
        packets.tcp(Segment(1, 2, options=bytes(41)), src="192.0.2.1", dst="192.0.2.2")


def test_ntp_stamp_counts_from_1900() -> None:
    assert control.ntp_stamp(500_000_000).hex() == "83aa7e8080000000"


def test_the_decoder_finds_every_layer_and_no_flaw(sample: Path) -> None:
    wanted = ["pppoed", "lcp", "pap", "ipcp", "ipv6cp", "icmpv6", "dhcpv6", "ntp", "tcp", "icmp"]
    status = ["ip.checksum.status", "tcp.checksum.status", "udp.checksum.status"]
    table = decode(open_captures([str(sample)]), [*wanted, *status, "vlan.id", "icmp.code"])
    assert (table.malformed, table.short, table.undecoded) == (0, 0, {})
    found = {name: table.packets[name].count() for name in wanted}
    assert found == {
        "pppoed": 4, "lcp": 2, "pap": 2, "ipcp": 1, "ipv6cp": 1, "icmpv6": 2, "dhcpv6": 2,
        "ntp": 2, "tcp": 1, "icmp": 2,
    }  # fmt: skip
    assert table.packets["vlan_id"].to_list() == [7] * table.count


@needs_tshark
def test_tshark_finds_nothing_malformed_and_no_bad_checksum(sample: Path) -> None:
    checks = [f"{name}.check_checksum:TRUE" for name in ("ip", "tcp", "udp")]
    options = [word for check in checks for word in ("-o", check)]
    severe, checksums = "_ws.expert.severity >= 0x600000", "_ws.expert.group == 0x01000000"
    bad = f"_ws.malformed || _ws.short || {severe} || {checksums}"
    command = ["tshark", "-n", "-r", str(sample), *options, "-Y", bad]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert found.stdout == ""


def test_the_mark_of_a_twin_is_read_back(sample: Path) -> None:
    assert capture_file.twin_of(sample.read_bytes()) == "twin of x.yaml"


@pytest.mark.parametrize("cut", [0, 4, 11, 27, 30, 40])
def test_no_mark_in_a_cut_header(sample: Path, cut: int) -> None:
    assert capture_file.twin_of(sample.read_bytes()[:cut]) is None


def test_no_mark_without_the_application() -> None:
    assert capture_file.twin_of(capture_file.pcapng([], comment="replicap twin")) is None


@pytest.mark.parametrize("tsresol", [-1, 10])
def test_resolutions_that_do_not_fit_are_refused(tsresol: int) -> None:
    with pytest.raises(ValueError, match="expected 0 to 9"):
        capture_file.pcapng([], tsresol=tsresol)
