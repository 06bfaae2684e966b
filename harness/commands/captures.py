"""What every command says about the captures it read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.messages import UsageMistake, say, say_error
from harness.problems import escaped

if TYPE_CHECKING:
    from decoders.containers import Capture

DAMAGED = 3


def check_decoder(name: str) -> None:
    """Raises UsageMistake for a decoder that does not exist."""
    from decoders.choice import DECODERS

    if name not in DECODERS:
        available = ", ".join(DECODERS)
        raise UsageMistake(f"--decoder: unknown decoder {name!r}, expected one of {available}")


def say_compiling(decoder: str, capture: Capture) -> None:
    """One line before the columnar decoder is compiled, which happens once and takes long."""
    from decoders.choice import COLUMNAR, chosen, kernels_are_compiled

    if chosen(decoder, capture) == COLUMNAR and not kernels_are_compiled():
        say("compiling the columnar decoder; this takes half a minute or more, once")


def damage_status(capture: Capture) -> int:
    """The exit status after a capture was read to its end: 3, with a message, when damaged."""
    if capture.damage is None:
        return 0
    say_damage(str(capture.damage))
    return DAMAGED


def say_damage(damage: str) -> None:
    """One line: where the capture stops being readable."""
    say_error(f"{damage}; only the frames before it were read")


def say_undecoded(undecoded: Mapping[str, int]) -> None:
    """One line for everything that the decoder did not see, with the number of frames."""
    if undecoded:
        reasons = "; ".join(f"{reason}: {frames} frames" for reason, frames in undecoded.items())
        say(f"warning: not decoded to the end: {escaped(reasons)}")
