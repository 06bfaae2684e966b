"""The fuzzing session: ``nox -s fuzz -- --minutes N [--only NAME] [--replay FILE]``.

Every run begins with the captures of ``corpus/``. Then each property gets its share of the time.
A failure is written to ``fuzz-failures/`` in its smallest form: what was drawn as an ordinary
capture, and beside it the property, the octets that drew it, and the command that replays it.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from hypothesis import Phase, seed, settings

from decoders.frames import CaptureError
from generators.captures import CaptureFile
from generators.damage import Damaged
from generators.traffic import Traffic
from generators.truth import Described, Truth
from tests.properties import checks
from tests.properties.decoded import DECODERS, in_one_file, rows_by
from tests.properties.machine import Move, played
from tests.properties.profiles import PROFILES, profile
from tests.properties.properties import PROPERTIES, Property
from tests.properties.streams import Step, frame_of

CORPUS = Path(__file__).parent / "corpus"
FAILURES = Path("fuzz-failures")


class Failure(NamedTuple):
    """What was found, and where it was written."""

    property: str
    message: str
    file: Path
    frames: int
    """Frames of its smallest form."""


class _Over(BaseException):
    """The time of a property is over."""


def capture_of(drawn: Any) -> bytes:
    """The capture in what a property drew: the file itself, or its frames in one."""
    if isinstance(drawn, Traffic):
        return drawn.file.data
    for part in drawn if isinstance(drawn, tuple) else (drawn,):
        if isinstance(part, Damaged):
            return part.data
    for part in drawn if type(drawn) is tuple else (drawn,):
        if isinstance(part, CaptureFile):
            return part.data
    if isinstance(drawn, list) and drawn and isinstance(drawn[0], Move):
        return played(drawn).file().data
    return in_one_file(list(_shots(drawn))).data


def _shots(drawn: Any) -> Iterator[Described]:
    if isinstance(drawn, Described):
        yield drawn
    elif isinstance(drawn, Step):
        data = frame_of(drawn)
        yield Described(data, len(data), 101, Truth())
    elif isinstance(drawn, list | tuple):
        for part in drawn:
            yield from _shots(part)


def run_property(
    name: str, seconds: float, base: settings, number: int
) -> tuple[int, Failure | None]:
    """Draws for so long; the examples, and the failure in its smallest form."""
    checked, until = PROPERTIES[name], time.monotonic() + seconds
    drawn, last = 0, None

    def counted(value: Any) -> None:
        nonlocal drawn, last
        if last is None and time.monotonic() > until:
            raise _Over
        drawn += 1
        try:
            checked.check(value)
        except Exception as error:
            last = (value, f"{type(error).__name__}: {error}")
            raise

    found = checked._replace(check=counted)
    phases = [Phase.reuse, Phase.generate, Phase.shrink]
    one = settings(base, phases=phases, report_multiple_bugs=False)
    test = found.test(one)
    try:
        (test if one.derandomize else seed(number)(test))()
    except _Over:
        return drawn, None
    except Exception as error:
        if last is None:
            raise
        return drawn, write_failure(name, last[0], last[1] or str(error), number)
    return drawn, None


def write_failure(name: str, drawn: Any, message: str, number: int) -> Failure:
    """A failure as an ordinary capture with a note beside it."""
    FAILURES.mkdir(exist_ok=True)
    data = capture_of(drawn)
    text = drawn if isinstance(drawn, str) else None
    key = hashlib.sha256(data + repr(drawn).encode()).hexdigest()[:12]
    file = FAILURES / f"{name}-{key}.pcapng"
    file.write_bytes(data)
    note = {
        "property": name,
        "message": message,
        "seed": number,
        "replay": f"nox -s fuzz -- --replay {file}",
        "text": text,
        "drawn": base64.b64encode(_pickled(drawn)).decode(),
    }
    file.with_suffix(".json").write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
    return Failure(name, message, file, len(checks.rows_of(file)))


def _pickled(drawn: Any) -> bytes:
    import pickle

    return pickle.dumps(drawn)


def replay(file: Path) -> int:
    """Says whether a failure still fails (1) or is fixed (0); 2 for no failure of ours.

    Only files that this program wrote itself are replayed: the note holds a pickle.
    """
    import pickle

    note_file = file.with_suffix(".json")
    try:
        note = json.loads(note_file.read_text(encoding="utf-8"))
        checked: Property = PROPERTIES[note["property"]]
        drawn = pickle.loads(base64.b64decode(note["drawn"]))
    except (OSError, ValueError, LookupError, pickle.UnpicklingError) as error:
        say(f"{note_file}: no failure that can be replayed: {error}")
        return 2
    try:
        checked.check(drawn)
    except Exception as error:  # noqa: BLE001 - whatever it is, it still fails
        say(f"{file}: still failing: {note['property']}: {type(error).__name__}: {error}")
        return 1
    say(f"{file}: fixed: {note['property']}")
    return 0


def keep(file: Path) -> Path:
    """Puts a failure into the corpus: its capture, and a note of where it came from.

    What was drawn stays in ``fuzz-failures/``; the seed draws it again. Raises OSError and
    ValueError for what is no failure of ours.
    """
    note = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    name, number = note["property"], note["seed"]
    told = {key: note[key] for key in ("property", "message", "seed", "text")}
    told["replay"] = f"nox -s fuzz -- --only {name} --seed {number}"
    CORPUS.mkdir(exist_ok=True)
    kept = CORPUS / file.name
    kept.write_bytes(file.read_bytes())
    kept.with_suffix(".json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return kept


SEEN = ("frame.len", "frame.protocols", "ip.src", "tcp.stream", "tcp.dstport", "replicap.class")
"""Fields of corpus captures that both decoders must give alike."""


def _seen(decoder: str, path: Path) -> Any:
    try:
        return rows_by(decoder, path, SEEN)
    except CaptureError:
        return None


def _same(path: Path) -> None:
    found = []
    for rows in (_seen(decoder, path) for decoder in DECODERS):
        fields = [[side.get(name) for name in SEEN] for row in rows or () for side in row]
        found.append((rows is None, fields))
    checks.demand(found[0] == found[1], "the decoders differ")


def replay_corpus() -> tuple[int, list[str]]:
    """Every capture of the corpus is read without an exception, quickly, alike by both decoders."""
    failed = []
    files = sorted(path for path in CORPUS.glob("*") if path.suffix in (".pcap", ".pcapng"))
    for path in files:
        try:
            with checks.bounded():
                checks.rows_of(path)
            _same(path)
        except Exception as error:  # noqa: BLE001 - any exception is a finding
            failed.append(f"{path.name}: {type(error).__name__}: {error}")
    return len(files), failed


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _with_atheris(name: str) -> int:
    try:
        import atheris  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        say("--engine atheris: atheris is not installed here (pip install atheris)")
        return 2
    fuzz: Callable[[bytes], Any] = PROPERTIES[name].test(profile("pr")).hypothesis.fuzz_one_input  # type: ignore[attr-defined]
    atheris.Setup([sys.argv[0]], fuzz)
    atheris.Fuzz()
    return 0


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nox -s fuzz --", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="time of the run (1)")
    parser.add_argument("--only", choices=sorted(PROPERTIES), help="one property")
    parser.add_argument("--profile", choices=PROFILES, default="nightly")
    parser.add_argument("--seed", type=int, help="of the run; default: another each time")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="a capture of fuzz-failures/")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="put a failure into the corpus")
    parser.add_argument("--engine", choices=("hypothesis", "atheris"), default="hypothesis")
    found = parser.parse_args(argv)
    if found.minutes <= 0:
        parser.error(f"--minutes {found.minutes:g}: expected more than 0")
    if found.engine == "atheris" and not found.only:
        parser.error("--engine atheris needs --only NAME")
    return found


def _that_can_run(names: Sequence[str]) -> list[str]:
    """Says why the others cannot be checked on this machine."""
    found = []
    for name in names:
        if missing := PROPERTIES[name].missing():
            say(f"{name}: not run: {missing}")
        else:
            found.append(name)
    return found


def main(argv: Sequence[str]) -> int:
    """Exit status 0: nothing found; 1: something found, or still failing; 2: nothing was run."""
    given = arguments(argv)
    if given.replay is not None:
        return replay(given.replay)
    if given.keep is not None:
        return _kept(given.keep)
    if given.engine == "atheris":
        return _with_atheris(given.only)
    names = _that_can_run([given.only] if given.only else list(PROPERTIES))
    if not names:
        return 2
    number = Random().getrandbits(32) if given.seed is None else given.seed
    replayed, broken = replay_corpus()
    say(f"corpus: {replayed} captures, {len(broken)} failing")
    failures: list[Failure] = []
    started, total = time.monotonic(), 0
    for name in names:
        share = given.minutes * 60 / len(names)
        drawn, failure = _told(name, share, profile(given.profile), number)
        total += drawn
        failures += [failure] if failure else []
    # ``ci`` finds the same again; what random runs find must not be lost.
    kept = [keep(failure.file) for failure in failures if given.profile != "ci"]
    rate = total / max(time.monotonic() - started, 0.001)
    say(f"{len(names)} properties, {total} examples, {rate:.0f} a second, seed {number}")
    say(f"{len(failures)} failures in {FAILURES}/, {len(kept)} new corpus entries")
    for text in [*map(str, kept), *(f"corpus: {text}" for text in broken)]:
        say(text)
    return 1 if failures or broken else 0


def _told(name: str, share: float, base: settings, number: int) -> tuple[int, Failure | None]:
    """Runs a property and says how fast; of wall time, and of this process's own."""
    began, busy = time.monotonic(), time.process_time()
    drawn, failure = run_property(name, share, base, number)
    took = max(time.monotonic() - began, 0.001)
    own = max(time.process_time() - busy, 0.001)
    say(f"{name}: {drawn} examples, {drawn / took:.0f} a second, {drawn / own:.0f} a CPU second")
    if failure is not None:
        say(f"  FAILED: {failure.message[:300]}\n  {failure.file}, {failure.frames} frames")
    return drawn, failure


def _kept(file: Path) -> int:
    try:
        say(f"{keep(file)}: kept")
    except (OSError, ValueError, KeyError) as error:
        say(f"{file}: no failure that can be kept: {error}")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
