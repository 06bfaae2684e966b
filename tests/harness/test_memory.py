"""Large buffers are given back to the system."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

SCRIPT = """\
import sys

def resident():
    pages = open("/proc/self/statm").read().split()[1]
    return int(pages) * 4096

if sys.argv[1] == "give back":
    from harness.memory import give_back_large_buffers
    give_back_large_buffers()
large = bytearray(b"x") * 30_000_000
del large  # From now on glibc keeps what is not larger.
first, second = bytearray(b"x") * 6_000_000, bytearray(b"x") * 6_000_000
before = resident()
del first
print(before - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")
def test_a_large_buffer_between_others_is_given_back() -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    given: dict[str, int] = {}
    for what in ("keep", "give back"):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, what],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env=environment,
        )
        given[what] = int(done.stdout)
    if given["keep"] > 5_000_000:
        pytest.skip("this C library gives large buffers back by itself")
    assert given["give back"] > 5_000_000
