"""The hostile run sees what must not be: planted crashes, hangs, greed, tracebacks, lost frames."""

from __future__ import annotations

import ctypes
import gc
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import hostile
from benchmarks.confined import Ended, Limits, confined

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.fixture(autouse=True)
def _untraced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tracer in the processes that are confined would take of their time and memory."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)


def crash() -> int:
    return len(ctypes.string_at(0))


def abort() -> int:
    os.abort()


def hang() -> int:
    time.sleep(60)
    return 0


def spin() -> int:
    while True:
        pass


def mapped_greed() -> int:
    return len(bytearray(1 << 30))


def swallowed_greed() -> int:
    """A command that says in one line that memory is out."""
    try:
        return mapped_greed()
    except MemoryError:
        sys.stderr.write("replicap: error: out of memory\n")
        return 3


def fail() -> int:
    raise ValueError("planted")


@pytest.mark.parametrize(
    ("action", "kind", "heard"),
    [
        (crash, "signal", "SIGSEGV"),
        (abort, "signal", "SIGABRT"),
        (hang, "timeout", "after 1.0 s"),
        (spin, "timeout", "after 1.0 s"),
        (mapped_greed, "over-memory", "MemoryError"),
        (swallowed_greed, "over-memory", "out of memory"),
        (fail, "traceback", "ValueError: planted"),
    ],
)
def test_what_must_not_be_is_seen(action: Callable[[], int], kind: str, heard: str) -> None:
    patient = action not in (hang, spin)
    ended = confined(action, Limits(seconds=20.0 if patient else 1.0))
    assert ended.kind == kind
    assert heard in ended.heard


def test_resident_memory_is_seen() -> None:
    gc.collect()  # This process may give memory back meanwhile: so there is a wide margin.
    used = confined(lambda: 0).octets + (32 << 20)
    assert confined(lambda: 0, Limits(20.0, used)).kind == "ended"
    ended = confined(lambda: int(not b"x" * (used - (8 << 20))), Limits(20.0, used))
    assert (ended.kind, ended.status) == ("over-memory", 0)
    assert "MB resident" in ended.heard


def test_what_a_process_prints_and_its_status_are_kept() -> None:
    def speak() -> int:
        os.write(1, b"a\nb\n")
        os.write(2, b"damaged\n")
        return 3

    # What this process holds by now counts as theirs.
    roomy = Limits(octets=confined(lambda: 0).octets + (512 << 20))
    ended = confined(speak, roomy)
    assert ended[:4] == ("ended", 3, b"a\nb\n", "damaged\n")
    assert confined(lambda: sys.exit(7), roomy)[:2] == ("ended", 7)


@pytest.mark.parametrize(
    ("command", "status", "judged"),
    [("fields", 3, ""), ("fields", 2, "status"), ("verify", 2, ""), ("verify", 1, "status")],
)
def test_statuses(command: str, status: int, judged: str) -> None:
    assert hostile.bad(command, Ended("ended", status, b"", "", 0)) == judged


PCAP = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
RECORD = struct.pack("<IIII", 1, 0, 3, 3) + b"\x45\0\0"
NG = bytes.fromhex(
    "0a0d0d0a 0000001c 1a2b3c4d 00010000 ffffffffffffffff 0000001c"  # a section, big-endian
    "00000001 00000014 00650000 00000000 00000014"  # an interface
    "00000003 00000014 00000003 45000000 00000014"  # a simple packet
)


def test_places_of_frames_are_found_without_a_reader() -> None:
    assert hostile.record_ends(PCAP + RECORD * 2 + RECORD[:-1]) == [24 + 19, 24 + 38]
    assert hostile.record_ends(NG + NG[:28]) == [len(NG)]
    assert hostile.record_ends(b"\x1f\x8b\x08\0" + bytes(40)) == []


def sound() -> hostile.Sound:
    return hostile.Sound(Path("made.pcap"), PCAP + RECORD * 2, (b"1", b"2"), (43, 62))


@pytest.mark.parametrize(
    ("printed", "kind"),
    [((b"1", b"2"), "fine"), ((b"1", b"x"), "frames-changed"), ((b"1",), "frames-changed")],
)
def test_frames_before_the_damage_must_be_the_same(
    printed: tuple[bytes, ...], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def appended(data: bytes, _: int, *, others: list[bytes]) -> hostile.Damaged:
        return hostile.Damaged(data + others[0], "appended", len(data))

    monkeypatch.setattr(hostile, "random_damage", appended)
    monkeypatch.setattr(hostile, "run", lambda *_: hostile.Outcome("fine", "", printed, 0))
    what, found = hostile.damaged([sound()], 1, 0, tmp_path)
    assert found.kind == kind
    assert what == "made.pcap: appended"


def test_a_run_says_what_came_of_it(tmp_path: Path) -> None:
    (tmp_path / "sound.pcap").write_bytes(PCAP + RECORD)
    (tmp_path / "no-capture.gz").write_bytes(bytes.fromhex("1f8b0800000000000003") + bytes(8))
    words = ["benchmarks/hostile.py", str(tmp_path), "--damaged", "4", "--jobs", "2"]
    ended = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "as they are: 2 files, 1 packets, 0 traceback, 0 timeout" in ended.stdout
    assert "1 captures to damage (1 files hold none), places of frames known of 1" in ended.stdout
    assert "damaged: 4 files" in ended.stdout
