"""A published text against the expectation file that encodes it: numbers left out, prose copied."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from decoders.displayfilter.macros import Expansion
from harness.comparisons import Equals, Rows
from harness.expectation import Claim, Expectation
from harness.pinned import DIRECTORIES

SEED = "REPLICAP_SEED"
"""Environment variable: the folder with the published texts."""

# Names with digits in them that are no figures.
_NAMES = re.compile(r"\b(?:IPv[46]|IPV6CP|ICMPv6|DHCPv6|v6)\b", re.IGNORECASE)
_COMMENT_NUMBER = re.compile(r"^\s*[0-9]+\. ", re.MULTILINE)
_ADDRESS = re.compile(r"[0-9]+(?:\.[0-9]+){3}|[0-9a-f]+(?::[0-9a-f]*){3,}(?:/[0-9]+)?")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_WORDS = {"two": "2", "three": "3", "four": "4", "nine": "9", "eleven": "11"}


def published(name: str) -> Path | None:
    """The text that was published, from REPLICAP_SEED or beside a folder of captures."""
    folders = [Path(os.environ[SEED])] if os.environ.get(SEED) else []
    captures = filter(None, os.environ.get(DIRECTORIES, "").split(os.pathsep))
    folders += [Path(folder).parent / "seed" for folder in captures]
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def numbers(text: str) -> list[str]:
    """Addresses, numbers and number words of a text, each once, as they are written."""
    text = _COMMENT_NUMBER.sub(" ", _NAMES.sub(" ", text))
    found = dict.fromkeys(_ADDRESS.findall(text))
    rest = _ADDRESS.sub(" ", text)
    found |= dict.fromkeys(_NUMBER.findall(rest))
    words = re.findall(r"[a-z]+", rest.lower())
    return [*found, *dict.fromkeys(word for word in words if word in _WORDS)]


def missing(text: str, expectation: Expectation) -> list[str]:
    """Numbers of a text that are in no claim's figure, filter or words, nor in a stage's filter."""
    said = set(numbers(" ; ".join(_said(expectation))))
    return [one for one in numbers(text) if not {one, _WORDS.get(one, one)} & said]


def _said(expectation: Expectation) -> Iterator[str]:
    for stage in expectation.stages:
        yield stage.filter or ""
    for claim in expectation.claims:
        yield claim.says
        yield from filter(None, (claim.not_testable, claim.published))
        if claim.where is not None:
            yield Expansion(claim.where, expectation.macros).text
        if claim.measure is not None and claim.comparison is not None:
            texts = [Expansion(text, expectation.macros).text for text in claim.measure.filters()]
            yield " ".join(texts)
            yield json.dumps(claim.comparison.published_json())


def copied(text: str, written: str, run: int = 8) -> list[str]:
    """Runs of so many words that both texts have."""
    theirs = set(_runs(text, run))
    return [" ".join(words) for words in _runs(written, run) if words in theirs]


def _runs(text: str, run: int) -> list[tuple[str, ...]]:
    words = re.findall(r"[a-z0-9']+", text.lower().replace("\u2019", "'"))
    return list(zip(*(words[start:] for start in range(run)), strict=False))


def prose(claims: Iterable[Claim]) -> str:
    """What the writer of a file says in words; between claims a word that nobody else uses."""
    words = (
        text
        for claim in claims
        for text in (claim.says, claim.interpretation, claim.not_testable, claim.note)
    )
    return " \u00a7claim\u00a7 ".join(text for text in words if text)


def figure(expectation: Expectation, name: str) -> int:
    """The published number of a claim, or the count of its single row."""
    [claim] = [claim for claim in expectation.claims if claim.id == name]
    if isinstance(claim.comparison, Equals):
        return int(claim.comparison.value.value)
    if not isinstance(claim.comparison, Rows):
        raise TypeError(f"{name} has no single figure")
    [count] = claim.comparison.value.values()
    return count
