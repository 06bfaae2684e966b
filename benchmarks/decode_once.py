"""Decodes a capture into a table twice in one process and prints the seconds of the second time.

    python benchmarks/decode_once.py CAPTURE DECODER FIELD ...

The first time loads (or compiles) what is needed; how long whole processes take is measured beside.
"""

from __future__ import annotations

import sys
import time

from decoders.containers import open_captures
from decoders.table import decode


def main() -> int:
    path, decoder, *fields = sys.argv[1:]
    seconds = 0.0
    for _ in range(2 if decoder == "columnar" else 1):
        start = time.perf_counter()
        table = decode(open_captures([path]), fields, decoder=decoder)
        seconds = time.perf_counter() - start
        if table.decoder != decoder or not table.count:
            sys.exit(f"{table.decoder} gave {table.count} packets")
    print(seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
