"""Decoded tables kept on disk, so that a large capture is decoded once for the same question.

A table is found by what it was made of: the octets of the capture, the decoder and its version, the
columns, and the frames that were kept. Nothing is ever changed in place: a table is written beside,
and renamed when it is whole, so that runs can share a cache.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from decoders.choice import chosen
from decoders.containers import Capture
from decoders.fields import stored
from decoders.frames import Damage
from decoders.store import Store, scan
from decoders.table import Table, decode

if TYPE_CHECKING:
    import polars

    from decoders.table import Keep

LIBRARIES = ("dpkt", "numba", "numpy", "polars", "pyarrow")
"""What the cells of a table depend on besides our own code."""

_FACTS = "table.json"
_COUNTS = ("count", "malformed", "short", "delegated")


@dataclass(frozen=True)
class Cache:
    """Tables in ``folder``, which is made when it is needed; ``say`` is told what is done."""

    folder: Path
    say: Callable[[str], None]

    def decode(
        self,
        capture: Capture,
        wanted: Iterable[str],
        *,
        keep: Keep | None = None,
        progress: Callable[[int], None] | None = None,
        decoder: str = "auto",
    ) -> Table:
        """As :func:`decoders.table.decode`; a table that is kept is not decoded again.

        A cache that cannot be read or written is said, and done without.
        """
        name = chosen(decoder, capture)
        names = sorted(field.name for field in stored(("frame.number", *wanted)))
        anew = partial(decode, capture, names, keep=keep, progress=progress, decoder=name)
        if not capture.unchanged():
            return anew()
        home = self.folder / _key(capture, name, names, keep)
        found = _read(home, capture, name)
        if found is not None:
            self.say(f"{capture.path}: {found.count} packets as decoded before, from {home}")
            return found
        return self._kept(home, capture, anew)

    def _kept(self, home: Path, capture: Capture, anew: Callable[..., Table]) -> Table:
        from polars.exceptions import PolarsError

        beside: Path | None = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            beside = Path(tempfile.mkdtemp(prefix=".new-", dir=self.folder))
            store = Store(beside)
            table = anew(store=store)
            if not capture.unchanged():
                return anew()
            _write_facts(beside, table, store, capture)
            _put(beside, home)
            found = _read(home, capture, table.decoder)
        except (OSError, PolarsError) as error:
            self.say(f"warning: {self.folder}: the table is not kept: {error}")
            found = None
        finally:
            if beside is not None:
                shutil.rmtree(beside, ignore_errors=True)
        return anew() if found is None else found


def _put(beside: Path, home: Path) -> None:
    """Make a whole table visible; that of another run that was faster is left as it is."""
    try:
        beside.rename(home)
    except OSError:
        if not home.is_dir():
            raise
        if _facts(home) is None:  # broken, and never read: replaced
            aside = beside.with_name(f"{beside.name}.old")
            home.rename(aside)
            shutil.rmtree(aside, ignore_errors=True)
            beside.rename(home)


def _key(capture: Capture, decoder: str, names: list[str], keep: Keep | None) -> str:
    import numpy as np

    mask = None
    if keep is not None:
        bits = np.asarray(keep, np.bool_)
        mask = [len(bits), hashlib.sha256(np.packbits(bits).tobytes()).hexdigest()]
    made_of = {
        "capture": capture.sha256,
        "members": [file.place.member for file in capture.files],
        "decoder": [decoder, _version(decoder)],
        "columns": names,
        "keep": mask,
    }
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()


@cache
def _version(decoder: str) -> str:
    """What a decoder's cells depend on: our code, libraries, an installed tshark."""
    from importlib.metadata import version

    digest = hashlib.sha256()
    here = Path(__file__).parent
    for path in sorted(here.rglob("*.py")):
        digest.update(f"{path.relative_to(here)}\0".encode() + path.read_bytes() + b"\0")
    for library in LIBRARIES:
        digest.update(f"{library} {version(library)}\0".encode())
    if decoder == "tshark":
        from decoders.tshark import version_text

        digest.update(version_text().encode())
    return digest.hexdigest()


def _write_facts(folder: Path, table: Table, store: Store, capture: Capture) -> None:
    facts = {name: getattr(table, name) for name in _COUNTS}
    facts |= {"undecoded": table.undecoded, "classes": table.classes}
    facts["damage"] = _damage_facts(capture)
    facts["files"] = {path.name: _digest(path) for path in store.files}
    facts["columns"] = table.columns
    (folder / _FACTS).write_text(json.dumps(facts), "utf-8")


def _damage_facts(capture: Capture) -> list[Any] | None:
    damage = capture.damage
    if damage is None:
        return None
    paths = [file.path for file in capture.files]
    return [paths.index(damage.path), damage.offset, damage.found, damage.expected]


def _facts(home: Path) -> dict[str, Any] | None:
    """What is known of a kept table; None when there is none, or when it is not whole."""
    try:
        facts: dict[str, Any] = json.loads((home / _FACTS).read_bytes())
        whole = all(_digest(home / name) == digest for name, digest in facts["files"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return facts if whole else None


def _read(home: Path, capture: Capture, decoder: str) -> Table | None:
    facts = _facts(home)
    if facts is None:
        return None
    if facts["damage"] is None:
        capture.damage = None
    else:
        place, *rest = facts["damage"]
        capture.damage = Damage(capture.files[place].path, *rest)
    return Table(
        rows=_rows([home / name for name in facts["files"]], facts["columns"]),
        undecoded=facts["undecoded"],
        classes=facts["classes"],
        decoder=decoder,
        **{name: facts[name] for name in _COUNTS},
    )


def _rows(files: list[Path], columns: list[str]) -> polars.DataFrame | polars.LazyFrame:
    import polars

    schema: dict[str, polars.DataType] = {}
    for path in files:
        schema |= polars.read_parquet_schema(path)
    rows = scan(files, {name: schema[name] for name in columns})
    return rows.collect() if len(files) == 1 else rows


def _digest(path: Path) -> str:
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
