"""Every bad input ends in one clear line and the exit status of the contract."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from pathlib import Path

import pytest

from harness.cli import main
from tests.harness import command_cases as cases

ROOT = Path(__file__).parents[2]
SHB_HEAD = struct.pack("<I", 0x0A0D0D0A)
MAGIC_LINE = "expected a pcap or pcapng magic"


def message(capsys: pytest.CaptureFixture[str], arguments: list[object], status: int) -> str:
    """The message of a run that ends in ``status``; its first line is the whole message."""
    assert main([str(argument) for argument in arguments]) == status
    error = capsys.readouterr().err
    assert error.startswith("replicap: error: ")
    assert "Traceback" not in error
    return error


def one_line(capsys: pytest.CaptureFixture[str], arguments: list[object], status: int) -> str:
    error = message(capsys, arguments, status)
    assert error.count("\n") == 1, error
    return error


def big_block(length: int) -> bytes:
    """A section, an interface, and a packet block that says it has ``length`` octets."""
    return cases.SECTION + cases.INTERFACE + struct.pack("<II", 6, length) + bytes(64)


def lying_pcap(captured: int) -> bytes:
    """A whole packet, then one that says it has ``captured`` octets."""
    return cases.pcap(cases.udp(1, 2)) + struct.pack("<IIII", 1, 0, captured, captured) + bytes(64)


UNREADABLE = {
    "empty file": (b"", "an empty file (0 octets)"),
    "wrong magic": (b"\xa5" * 64, MAGIC_LINE),
    "text file": (b"name,size\nx,1\n", "text ('name,size')"),
    "section block length 0": (SHB_HEAD + struct.pack("<II", 0, 0x1A2B3C4D) + bytes(64), "0"),
    "section block length 3": (SHB_HEAD + struct.pack("<II", 3, 0x1A2B3C4D) + bytes(64), "3"),
    "section block of 4 GB": (
        SHB_HEAD + struct.pack("<II", 0xFFFFFFFC, 0x1A2B3C4D) + bytes(64),
        "4294967292",
    ),
    "cut-off header": (cases.THREE[:20], "20"),
}


@pytest.mark.parametrize(("content", "said"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_capture_that_cannot_be_read(
    content: bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture = cases.capture(tmp_path, content)
    error = one_line(capsys, ["fields", capture, "-e", "ip.src"], 3)
    assert error.startswith(f"replicap: error: {capture}: offset ")
    assert said in error
    file = cases.expectations(tmp_path, cases.RIGHT)
    assert said in one_line(capsys, ["verify", capture, "-e", file], 3)
    target = tmp_path / "out.parquet"
    assert said in one_line(capsys, ["decode", capture, "--to", target], 3)
    assert not target.exists()


DAMAGED = {
    "block length 0": (big_block(0), "0", 0),
    "block length 3": (big_block(3), "3", 0),
    "block of 4 GB": (big_block(0xFFFFFFFC), "4294967292", 0),
    "caplen over 256 MB": (lying_pcap((256 << 20) + 1), str((256 << 20) + 1), 1),
    "caplen of 4 GB": (lying_pcap(0xFFFFFFFF), str(0xFFFFFFFF), 1),
    "interface that does not exist": (
        cases.SECTION + cases.INTERFACE + cases.packet_block(cases.udp(1, 2), interface=7),
        "interface 7",
        0,
    ),
    "cut-off last packet": (cases.THREE[:-5], "offset", 2),
}


@pytest.mark.parametrize(("content", "said", "frames"), DAMAGED.values(), ids=DAMAGED)
def test_a_capture_that_stops_being_readable(
    content: bytes, said: str, frames: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture = cases.capture(tmp_path, content)
    assert main(["fields", str(capture), "-e", "frame.number"]) == 3
    out, error = capsys.readouterr()
    assert len(out.splitlines()) == frames
    assert error.startswith(f"replicap: error: {capture}: offset ")
    assert error.count("\n") == 1
    assert said in error


def test_missing_file_and_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for capture, said in ((tmp_path / "none", "no such file"), (tmp_path, "a directory")):
        error = one_line(capsys, ["fields", capture, "-e", "ip.src"], 3)
        assert error.startswith(f"replicap: error: {capture}: found ")
        assert said in error


def test_standard_input_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "standard input" in one_line(capsys, ["fields", "-", "-e", "ip.src"], 3)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture = cases.capture(tmp_path)
    capture.chmod(0)
    assert "permission denied" in one_line(capsys, ["fields", capture, "-e", "ip.src"], 3)


RECORD = struct.pack("<IIII", 1, 0, 1 << 18, 1 << 18) + bytes(1 << 18)
"""A packet of 256 KiB of zeros."""


def _zip_bomb(head: bytes, block: bytes, blocks: int) -> bytes:
    out = io.BytesIO()
    with (
        zipfile.ZipFile(out, "w", zipfile.ZIP_BZIP2) as archive,
        archive.open("bomb.pcap", "w", force_zip64=True) as member,
    ):
        member.write(head)
        for _ in range(blocks):
            member.write(block)
    return out.getvalue()


def test_a_zip_bomb_is_bounded(tmp_path: Path) -> None:
    capture = cases.capture(tmp_path, _zip_bomb(cases.pcap(), RECORD, 1024), "bomb.zip")
    start = time.monotonic()
    done = _limited("fields", capture, "-e", "frame.number", megabytes=1024)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    assert "expected at most 2000 for each octet of the file" in done.stderr
    assert time.monotonic() - start < 50


def _limited(*arguments: object, megabytes: int) -> subprocess.CompletedProcess[str]:
    """The command with bounded memory."""
    code = (
        "import resource, sys; from harness.cli import main; "
        f"resource.setrlimit(resource.RLIMIT_AS, ({megabytes << 20},) * 2); "
        "sys.exit(main(sys.argv[1:]))"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


ALIASES = "\n".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 30)
)

FILES = {
    "tab": (cases.HEAD + cases.RIGHT.replace("    says", "\tsays"), ":6:1: "),
    "alias bomb": (f"a0: &a0 [x, x]\n{ALIASES}\n", ":"),
    "misspelt key": (cases.HEAD + cases.RIGHT.replace("equals", "equal"), "did you mean 'equals'?"),
    "unknown field": (
        cases.HEAD + cases.RIGHT.replace("measure: packets", "measure: {distinct: ip.sorce}"),
        "'ip.src'",
    ),
    "type mismatch in a filter": (
        cases.HEAD + cases.WRONG.replace("udp.dstport == 7", "udp.dstport == 192.0.2.1"),
        ":9:",
    ),
    "an id used twice": (cases.HEAD + cases.RIGHT + cases.RIGHT, "packets"),
    "empty": ("", ":"),
    "not YAML": ("\x00\x01\x02", ":"),
    "no claims": ("replicap: 1\ntitle: x\nclaims: []\n", "claims"),
}


@pytest.mark.parametrize(("text", "said"), FILES.values(), ids=FILES)
def test_a_wrong_expectation_file(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture = cases.capture(tmp_path)
    file = tmp_path / "wrong.yaml"
    file.write_text(text, "utf-8")
    start = time.monotonic()
    error = message(capsys, ["verify", capture, "-e", file], 2)
    assert time.monotonic() - start < 5
    assert said in error.splitlines()[0] or said in error
    # Each problem: its line, and below it the line of the file with a caret.
    for line in error.splitlines():
        assert line.startswith((f"replicap: error: {file}", "    ")), line


def test_a_missing_expectation_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in (tmp_path / "none.yaml", tmp_path):
        error = one_line(capsys, ["verify", cases.capture(tmp_path), "-e", file], 2)
        assert error.startswith(f"replicap: error: {file}: ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ip.scr == 192.0.2.1", "unknown field 'ip.scr'"),
        ("udp.dstport == 192.0.2.1", "udp.dstport"),
        ("udp.dstport ==", "-Y: "),
        ("(" * 5000, "-Y: "),
        ("ip.src == \x1b[31m", "'\\x1b' was not expected here"),
    ],
)
def test_a_wrong_filter(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture = cases.capture(tmp_path)
    error = message(capsys, ["fields", capture, "-Y", text, "-e", "ip.src"], 2)
    assert error.startswith("replicap: error: -Y: ")
    assert said in error
    assert "\x1b" not in error


def test_random_octets_never_end_in_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(50):
        noise = zlib.compress(seed.to_bytes(2, "big") * 40) * 4
        for head in (b"", cases.pcap(), cases.SECTION + cases.INTERFACE):
            capture = cases.capture(tmp_path, head + noise)
            assert main(["fields", str(capture), "-e", "frame.protocols"]) in (0, 3)
    assert "Traceback" not in capsys.readouterr().err
