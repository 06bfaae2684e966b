"""How one published file comes from another: a display filter, then saved and numbered anew."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from decoders.containers import Capture
    from decoders.displayfilter import Filter
    from decoders.table import Keep, Table
    from harness.expectation import Expectation, Stage

ALWAYS = frozenset({"frame.number", "replicap.undecoded"})
"""Fields every stage is decoded with."""

_UNCERTAIN = ("frame.protocols", "frame.comment")
"""Fields of the frame that depend on the decoder, or of which a frame has several."""


class Decode(Protocol):
    """``decoders.table.decode``, or what stands in for it."""

    def __call__(
        self,
        capture: Capture,
        wanted: Iterable[str],
        *,
        keep: Keep | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Table: ...


@dataclass(frozen=True)
class StageTable:
    """The packets of one stage."""

    table: Table
    uncertain: str = ""
    """Why nobody can say which packets belong to this stage; empty when it is certain."""
    kept: NDArray[np.bool_] | None = None
    """Which frames of the capture belong to it; None for all."""

    def numbers_in_capture(self, numbers: Sequence[int]) -> tuple[int, ...]:
        """Frame numbers of the stage as those of the capture that was given."""
        if self.kept is None:
            return tuple(numbers)
        import numpy as np

        places = np.flatnonzero(self.kept)
        return tuple(int(places[number - 1]) + 1 for number in numbers)


@dataclass(frozen=True)
class _Step:
    """A stage whose packets are known, as a mask of the capture's frames."""

    stage: StageTable
    kept: NDArray[np.bool_] | None
    """One truth value for each frame of the capture; None when all are kept."""


def reachable(expectation: Expectation, given: str) -> list[str]:
    """Ids of the given stage and of those that can be derived from it, parents first."""
    found = [given]
    for stage in expectation.stages:
        if stage.parent in found and stage.id not in found:
            found.append(stage.id)
    return found


def certain_in_frames(fields: Collection[str]) -> bool:
    """Whether fields are known of every frame, also of one whose contents are not decoded."""
    return all(
        name == "frame" or (name.startswith("frame.") and name not in _UNCERTAIN) for name in fields
    )


def undecoded_reason(frames: int, packets: int, reasons: Iterable[str]) -> str:
    """In words: some packets hold what the decoder does not see."""
    hold = "holds" if frames == 1 else "hold"
    what = ", ".join(reasons)
    return f"{frames} of {packets} packets {hold} what this decoder does not see ({what})"


def stage_tables(
    expectation: Expectation,
    capture: Capture,
    given: str,
    wanted: Mapping[str, Collection[str]],
    *,
    parse: Callable[[str, Mapping[str, str]], Filter],
    decode: Decode,
    progress: Callable[[int], None] | None = None,
) -> dict[str, StageTable]:
    """Decode the given stage, and of those that come from it the ones in ``wanted``, each once.

    ``wanted`` maps stage ids to the fields their claims read. Stages that cannot be derived are
    left out. Raises CaptureError, and FilterError for a stage's filter.
    """
    declared = {stage.id: stage for stage in expectation.stages}
    needed = _with_parents(declared, reachable(expectation, given), wanted, given)
    filters = {
        name: parse(declared[name].filter or "", expectation.macros)
        for name in needed
        if name != given
    }

    def fields(name: str) -> list[str]:
        read = (filters[child].fields for child in filters if declared[child].parent == name)
        return sorted({*ALWAYS, *wanted.get(name, ())}.union(*read))

    def decoded(name: str, keep: NDArray[np.bool_] | None) -> Table:
        return decode(capture, fields(name), keep=keep, progress=progress)

    steps = {given: _Step(StageTable(decoded(given, None)), None)}
    for name, condition in filters.items():
        parent = steps[declared[name].parent or given]
        kept = _matching(parent, condition)
        table = decoded(name, kept)
        uncertain = parent.stage.uncertain or _uncertainty(parent.stage.table, condition)
        steps[name] = _Step(StageTable(table, uncertain, kept), kept)
    return {name: step.stage for name, step in steps.items()}


def _with_parents(
    declared: Mapping[str, Stage],
    known: Sequence[str],
    wanted: Collection[str],
    given: str,
) -> list[str]:
    """The given stage, the wanted ones that are known, and those in between; parents first."""
    needed = {given}
    for name in wanted:
        step: str | None = name if name in known else None
        while step is not None and step not in needed:
            needed.add(step)
            step = declared[step].parent
    return [name for name in known if name in needed]


def _matching(parent: _Step, condition: Filter) -> NDArray[np.bool_]:
    """Which frames of the capture are packets of the parent that match."""
    import narwhals as nw

    from decoders.displayfilter import expression

    table = parent.stage.table
    keep = expression(condition, table.columns).alias("keep")
    query = nw.to_native(nw.from_native(table.lazy()).select(keep))
    matches: NDArray[np.bool_] = query.collect(engine=table.engine)["keep"].to_numpy()
    if parent.kept is None:
        return matches
    frames = parent.kept.copy()
    frames[parent.kept] = matches
    return frames


def _uncertainty(parent: Table, condition: Filter) -> str:
    undecoded = sum(parent.undecoded.values())
    if not undecoded or certain_in_frames(condition.fields):
        return ""
    reason = undecoded_reason(undecoded, parent.count, parent.undecoded)
    return f"{reason}: whether {condition.text!r} keeps them is not known"
