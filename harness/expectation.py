"""The expectation file: what was published about a capture, as claims that can be measured.

:func:`load` reads a file and raises :class:`ExpectationError` with all problems of the file at
once. The pydantic models here are the shape of the file; the JSON Schema for editors is generated
from them (``harness.schema``).
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from harness import yaml12
from harness.problems import ExpectationError, Problem

if TYPE_CHECKING:
    from harness.comparisons import Comparison
    from harness.measuring import Measure

__all__ = [
    "Claim",
    "Expectation",
    "ExpectationError",
    "Pin",
    "Place",
    "Problem",
    "Source",
    "Stage",
    "load",
    "read",
]

VERSION = 1
DEFAULT_STAGE = "capture"
ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
TEXT_PATTERN = r"\S"
LINES_PATTERN = r"^[1-9][0-9]*(-[1-9][0-9]*)?(, ?[1-9][0-9]*(-[1-9][0-9]*)?)*$"
SHA256_PATTERN = r"^[0-9a-fA-F]{64}$"
FILL_IN = re.compile(r"FILL[ -]IN")
"""What a draft leaves to its author; no other file may hold it."""
MACRO_PATTERN = r"^[A-Za-z0-9_]+$"


def _web_address(text: str) -> str:
    """An http or https address with a host; raises ValueError for anything else."""
    parts = urlsplit(text)  # raises ValueError for a bracket without its partner
    if parts.scheme not in ("http", "https") or not parts.hostname or len(text.split()) != 1:
        raise ValueError(f"expected an http or https address, found {text[:60]!r}")
    return text


def _file_name(text: str) -> str:
    """A name without folders; raises ValueError for anything else."""
    if text in (".", "..") or "/" in text or "\\" in text:
        raise ValueError(f"expected a file name without folders, found {text[:60]!r}")
    return text


Text = Annotated[str, StringConstraints(pattern=TEXT_PATTERN)]
Id = Annotated[str, StringConstraints(pattern=ID_PATTERN, max_length=200)]
Url = Annotated[
    str,
    StringConstraints(pattern=TEXT_PATTERN),
    AfterValidator(_web_address),
    Field(json_schema_extra={"pattern": "^https?://[^\\s/]+\\S*$"}),
]
FileName = Annotated[Text, AfterValidator(_file_name)]


class Strict(BaseModel):
    """A mapping of the file: no key but the declared ones, nothing converted, nothing changed."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )


class Source(Strict):
    """Where the figures were published."""

    by: Text
    """Who published them."""
    url: Url
    """The page or repository with the figures."""
    commit: Text | None = None
    """The commit of the repository at which they were read."""
    licence: Text | None = None
    """The licence of the published text and capture (SPDX identifier)."""


class Pin(Strict):
    """A capture, named so exactly that nobody can mistake it for another."""

    name: FileName
    """File name of the capture."""
    url: Url
    """Where the file can be had."""
    bytes: Annotated[int, Field(gt=0)]
    """Size of the file at url, in octets."""
    sha256: Annotated[str, StringConstraints(pattern=SHA256_PATTERN, to_lower=True)]
    """SHA-256 of the file at url, 64 hex digits."""
    member: Text | None = None
    """The capture's name inside the zip at url."""
    stage: Id | None = None
    """Which stage the capture is; the first one when it is not given."""


class Stage(Strict):
    """One of the published files, and how it comes from another."""

    id: Id
    """Name of the stage, unique in the file."""
    says: Text | None = None
    """What the stage is, in our own words."""
    parent: Annotated[Id | None, Field(alias="from")] = None
    """The earlier stage that this one is made from; the first has none."""
    filter: Text | None = None
    """Display filter of the packets that are kept; they are numbered anew. The first has none."""


class Place(Strict):
    """Where in the source a figure stands: a file, a section or an address."""

    file: Text | None = None
    """File in the source's repository."""
    lines: Annotated[str, StringConstraints(pattern=LINES_PATTERN)] | int | None = None
    """Line or lines of that file: 9, or 9-15."""
    commit: Text | None = None
    """Commit of the file, where it is not the source's."""
    section: Text | None = None
    """Heading under which the figure stands."""
    item: Text | int | None = None
    """Item under that heading."""
    url: Url | None = None
    """Address of the figure itself."""

    @model_validator(mode="after")
    def _somewhere(self) -> Place:
        if self.file is None and self.section is None and self.url is None:
            raise ValueError("expected at least one of 'file', 'section' and 'url'")
        if self.lines is not None and self.file is None and self.url is None:
            raise ValueError("'lines' needs the 'file' that has them")
        return self


class ClaimEntry(Strict):
    """A published figure, and how it is measured.

    As it stands in the file, without its comparison: a key named as the comparison.
    """

    id: Id
    """Name of the claim, unique in the file: letters, digits, '-', '_' and '.'."""
    says: Text
    """What was published, in our own words."""
    at: Place
    """Where in the source it was published."""
    quote: Text | None = None
    """The published words, verbatim, for people who own the text."""
    tags: list[Id] = []
    """Words to choose claims by."""
    stage: Id | None = None
    """The stage that is measured; the first one when it is not given."""
    where: Text | None = None
    """Display filter: only these packets are measured; numbers and streams stay as they are."""
    measure: object = None
    """What is measured: a name, {name: main parameter} or {name: {parameters}}."""
    measured: object = None
    """What was measured, put there by verify --write-measured; no verdict depends on it."""
    not_testable: Text | None = None
    """Instead of measure and comparison: what is missing to measure it."""
    published: Text | None = None
    """The published figure of a claim that is not testable."""
    interpretation: Text | None = None
    """What had to be interpreted to measure it."""
    note: Text | None = None
    """A remark, such as why the claim is refuted."""


class FileEntry(Strict):
    """Published figures of a packet capture, as claims that can be measured."""

    replicap: Literal[1]
    """Version of this format."""
    title: Text
    """What the figures are about."""
    source: Source
    """Where the figures were published."""
    draft: bool = False
    """Figures that replicap measured and nobody published yet: made by 'replicap draft'."""
    dialect: Literal["wireshark-4.0"] = "wireshark-4.0"
    """Language of the display filters."""
    capture: Pin | None = None
    """The capture that is measured when no other is given."""
    macros: dict[Annotated[str, StringConstraints(pattern=MACRO_PATTERN)], Text] = {}
    """Display filters by name, written ${name} in any other filter."""
    stages: Annotated[list[Stage], Field(min_length=1, max_length=100)] | None = None
    """The published files, in the order in which they come from one another."""
    claims: Annotated[list[object], Field(min_length=1)]
    """What was published, one claim each."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One published figure; ``line`` and ``column`` say where it stands in the file, from 1."""

    id: str
    says: str
    at: Place
    quote: str | None
    tags: list[str]
    stage: str
    """Id of the stage, also where the file leaves it out."""
    where: str | None
    measure: Measure | None
    """None exactly when the claim is not testable."""
    comparison: Comparison | None
    """None exactly when the claim is not testable."""
    not_testable: str | None
    published: str | None
    interpretation: str | None
    note: str | None
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Expectation:
    """A checked expectation file: every reference, filter and field in it is known."""

    path: str
    title: str
    source: Source
    dialect: str
    capture: Pin | None
    """Its ``stage`` is resolved: never None."""
    macros: dict[str, str]
    stages: list[Stage]
    """At least one; the first has no parent, every other an earlier one and a filter."""
    claims: list[Claim]
    """At least one."""
    draft: bool = False
    """Nothing of it was published: the figures were measured, by replicap itself."""


def load(path: str | os.PathLike[str]) -> Expectation:
    """Read and check an expectation file.

    Raises :class:`ExpectationError` with every problem of the file.
    """
    name = os.fspath(path)
    try:
        raw = _content(name)
    except ValueError as error:
        raise ExpectationError([Problem(name, 0, 0, "", str(error))]) from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        message = f"the expectation file cannot be read: {reason}"
        raise ExpectationError([Problem(name, 0, 0, "", message)]) from None
    return read(raw, name)


def read(raw: bytes, path: str) -> Expectation:
    """Check the content of an expectation file; ``path`` is its name in messages.

    Raises :class:`ExpectationError` as :func:`load` does.
    """
    from harness.reading import Reader

    return Reader(yaml12.parse(raw), path).read()


def _content(path: str) -> bytes:
    """The octets of a file, one more than allowed at most; raises OSError or ValueError."""
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise ValueError("a directory; expected an expectation file (YAML)")
    if not stat.S_ISREG(mode):
        raise ValueError("not a regular file; expected an expectation file (YAML)")
    with open(path, "rb") as file:
        return file.read(yaml12.MAX_BYTES + 1)
