"""``replicap decode``: the table of packets as a Parquet file."""

from __future__ import annotations

from argparse import Namespace

from harness.commands.captures import check_decoder, damage_status, say_compiling, say_undecoded
from harness.messages import UsageMistake, say
from harness.report.output import check_output, write_whole


def run(arguments: Namespace) -> int:
    """Writes all declared fields; returns 3 when the capture is damaged (and written), else 0.

    Raises UsageMistake, OutputError, CaptureError.
    """
    target: str = arguments.to
    if not target.endswith(".parquet"):
        raise UsageMistake(f"--to: found {target!r}, expected a name that ends in .parquet")
    check_output(target, arguments.captures)
    check_decoder(arguments.decoder)

    from decoders.containers import open_captures
    from decoders.fields import FIELDS, ITEM, LENGTH, OCTETS
    from decoders.table import decode
    from harness.report.progress import FrameCounter

    capture = open_captures(arguments.captures)
    say_compiling(arguments.decoder, capture)
    with FrameCounter("decoding", capture) as progress:
        # Octets of packets are for filters; a table of all fields would hold each packet again.
        wanted = [name for name in FIELDS if not name.startswith((OCTETS, ITEM, LENGTH))]
        table = decode(capture, wanted, progress=progress, decoder=arguments.decoder)
    write_whole(target, table.write_parquet)
    say(f"{target}: {table.count} packets, {len(table.columns)} columns")
    say_undecoded(table.undecoded)
    return damage_status(capture)
