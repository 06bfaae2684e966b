"""Where the packets of a table are: in memory while they are few, else in files.

Chunks of a capture come one behind another. A table of one part stays in memory; a larger one is
written part by part to Parquet files, and read lazily, so that memory does not grow with it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars

PART_ROWS = 1 << 18
"""Rows of a part at most; a table that has no more stays in memory."""
PART_OCTETS = 1 << 27
"""Octets of a part, about; whichever comes first."""


class Store:
    """Takes chunks, in order, and gives one table with the columns of all of them.

    With ``folder``, an empty directory of the caller's, every part is written there, also the only
    one. Without it a directory of its own is made when it is needed; it goes with the store.
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
        self.files: list[Path] = []

    def add(self, chunk: polars.DataFrame) -> None:
        """The next rows of the table."""
        most_rows, most_octets = self._limits
        if self._chunks and (self._rows + chunk.height > most_rows or self._octets >= most_octets):
            self._write()
        self._chunks.append(chunk)
        self._rows += chunk.height
        self._octets += int(chunk.estimated_size())
        for name, dtype in chunk.schema.items():
            self._schema.setdefault(name, dtype)

    def rows(self) -> polars.DataFrame | polars.LazyFrame:
        """All rows: a frame in memory, or a lazy one over the files. Raises ValueError of none."""
        if not self._chunks and not self.files:
            raise ValueError("a table needs a chunk, even an empty one, for its columns")
        if not self.files and not self._always and self._rows <= self._limits[0]:
            return _joined(self._chunks)
        if self._chunks:
            self._write()
        return scan(self.files, self._schema)

    def _write(self) -> None:
        if self._folder is None:
            # The name of the folder tells a user whose disk is full what it is.
            self._own = tempfile.TemporaryDirectory(prefix="replicap-")
            self._folder = Path(self._own.name)
        path = self._folder / f"{len(self.files):06}.parquet"
        _joined(self._chunks).write_parquet(path, compression="lz4", statistics=False)
        self.files.append(path)
        self._chunks, self._rows, self._octets = [], 0, 0


def scan(files: list[Path], schema: dict[str, polars.DataType]) -> polars.LazyFrame:
    """Parts as one table; a column that a part does not have is null there."""
    import polars

    return polars.scan_parquet(files, schema=schema, missing_columns="insert", glob=False)


def _joined(chunks: list[polars.DataFrame]) -> polars.DataFrame:
    import polars

    return chunks[0] if len(chunks) == 1 else polars.concat(chunks, how="diagonal")
