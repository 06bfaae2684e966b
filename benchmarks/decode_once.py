"""Decodes a capture into a table several times in one process.

Prints medians: seconds, and seconds of processors.

    python benchmarks/decode_once.py CAPTURE DECODER FIELD ...

The first time loads (or compiles) what is needed and does not count; how long whole processes take
is measured beside. The reference decoder, which needs no warming, decodes once.
"""

from __future__ import annotations

import statistics
import sys
import time

from decoders.containers import open_captures
from decoders.table import decode

WARM = 7


def main() -> int:
    path, decoder, *fields = sys.argv[1:]
    seconds, processor = [], []
    for _ in range(1 + WARM if decoder == "columnar" else 1):
        start, before = time.perf_counter(), time.process_time()
        table = decode(open_captures([path]), fields, decoder=decoder)
        seconds.append(time.perf_counter() - start)
        processor.append(time.process_time() - before)
        if table.decoder != decoder or not table.count:
            sys.exit(f"{table.decoder} gave {table.count} packets")
        del table
    print(statistics.median(seconds[-WARM:]), statistics.median(processor[-WARM:]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
