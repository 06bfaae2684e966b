"""Where the packets of a table are: in memory while they are few, else in files.

Chunks of a capture come one behind another. A table of one part stays in memory; a larger one is
written part by part to Parquet files, and read lazily, so that memory does not grow with it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars

PART_ROWS = 1 << 20
"""Rows of a part at most, of a second one a quarter; a table that has no more stays in memory."""
PART_OCTETS = 1 << 28
"""Octets of a part, about; what all rows of a chunk have in common counts once. Whichever comes
first."""


class Store:
    """Takes chunks, in order, and gives one table with the columns of all of them.

    With ``folder``, an empty directory of the caller's, every part is written there, also the only
    one. Without it a directory of its own is made when it is needed; it goes with the store.

    A part is written while the next one comes in.

    A column that is null in a whole chunk is not held, and a file has columns without any value
    only when no earlier one has them: most declared fields occur in no packet of a capture.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        rows: int = PART_ROWS,
        octets: int = PART_OCTETS,
    ) -> None:
        self._folder = folder
        self._always = folder is not None
        self._own: tempfile.TemporaryDirectory[str] | None = None
        self._limits = (rows, octets)
        self._chunks: list[polars.DataFrame] = []
        self._rows = 0
        self._octets = 0
        self._schema: dict[str, polars.DataType] = {}
        self._written: set[str] = set()
        self._writing: Future[None] | None = None
        self.files: list[Path] = []

    def add(self, chunk: polars.DataFrame) -> None:
        """The next rows of the table."""
        for name, dtype in chunk.schema.items():
            self._schema.setdefault(name, dtype)
        if not chunk.height:
            return
        # What goes to files anyway need not be held for long.
        most_rows, most_octets = (limit >> (2 * bool(self.files)) for limit in self._limits)
        if self._chunks and (self._rows + chunk.height > most_rows or self._octets >= most_octets):
            self._write()
        chunk = _without_nulls(chunk)
        self._chunks.append(chunk)
        self._rows += chunk.height
        self._octets += int(chunk.estimated_size())

    def rows(self) -> polars.DataFrame | polars.LazyFrame:
        """All rows: a frame in memory, or a lazy one over the files. Raises ValueError of none."""
        if not self._schema:
            raise ValueError("a table needs a chunk, even an empty one, for its columns")
        if not self.files and not self._always and self._rows <= self._limits[0]:
            return self._joined(self._schema)
        if self._chunks or not self.files:
            self._write()
        self._written_out()
        return scan(self.files, self._schema)

    def _write(self) -> None:
        if self._folder is None:
            # The name of the folder tells a user whose disk is full what it is.
            self._own = tempfile.TemporaryDirectory(prefix="replicap-")
            self._folder = Path(self._own.name)
        path = self._folder / f"{len(self.files):06}.parquet"
        held = {name for chunk in self._chunks for name in chunk.columns}
        names = [name for name in self._schema if name in held or name not in self._written]
        part = self._joined(names)
        self._written_out()
        writer = ThreadPoolExecutor(1)
        self._writing = writer.submit(part.write_parquet, path, compression="lz4", statistics=False)
        writer.shutdown(wait=False)
        self._written.update(names)
        self.files.append(path)
        self._chunks, self._rows, self._octets = [], 0, 0

    def _written_out(self) -> None:
        """Wait for the part that is being written; raises what stood in its way."""
        if self._writing is not None:
            self._writing.result()
            self._writing = None

    def _joined(self, names: Iterable[str]) -> polars.DataFrame:
        """The chunks at hand as one, with these columns.

        Each chunk gets all of them before: columns of several chunks beside those that hold one
        value for all rows would be copied.
        """
        import polars

        names = list(names)
        if not self._chunks:
            return polars.DataFrame(schema={name: self._schema[name] for name in names})
        columns = {name: polars.col(name) for name in names}
        nulls = {n: polars.lit(None, dtype=self._schema[n]).alias(n) for n in names}
        return polars.concat(
            chunk.select(list((nulls | {n: columns[n] for n in chunk.columns}).values()))
            for chunk in self._chunks
        )


def scan(files: list[Path], schema: dict[str, polars.DataType]) -> polars.LazyFrame:
    """Parts as one table; a column that a part does not have is null there."""
    import polars

    return polars.scan_parquet(files, schema=schema, missing_columns="insert", glob=False)


def _without_nulls(chunk: polars.DataFrame) -> polars.DataFrame:
    """The columns that have a value; one at least, which tells how many rows there are."""
    nulls = chunk.null_count().row(0)  # One by one, columns that hold a value once would be spread.
    if max(nulls, default=0) < chunk.height:
        return chunk
    found = [name for name, count in zip(chunk.columns, nulls, strict=True) if count < chunk.height]
    return chunk.select(found or chunk.columns[:1])
