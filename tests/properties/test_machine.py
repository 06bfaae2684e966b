"""TCP conversations that a state machine plays: streams, numbers and marks by both decoders.

The bugs that it must find stand in planted.py, under the property ``conversations``.
"""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.properties.machine import FINS, MARKS, Conversations, Move, played
from tests.properties.profiles import CHECKED

PLAYED = settings(CHECKED, max_examples=max(1, CHECKED.max_examples // 3), stateful_step_count=30)


def test_conversations_are_read_as_they_were_played() -> None:
    run_state_machine_as_test(Conversations, settings=PLAYED)


def move(rule: str, who: int = 0, number: int = 1000) -> Move:
    return Move(rule, who, number, 10, 100)


def test_a_conversation_of_literal_moves() -> None:
    machine = played(
        [
            *(move("acknowledge"), move("open"), move("answer"), move("acknowledge")),
            *(move("send", 1), move("ask_whether_alive", 1), move("acknowledge")),
            *(move("lose_and_send", 1), move("acknowledge"), move("send_again", 1)),
            *(move("close"), move("close", 1), move("reset"), move("send"), move("open", number=7)),
        ]
    )
    names = [
        *(f"tcp.analysis.{mark}" for mark in MARKS),
        *(f"tcp.connection.{fin}" for fin in FINS),
    ]
    shown = [[n.rpartition(".")[2] for n in names if one.must[n]] for one in machine.packets]
    assert shown == [
        *([], [], []),
        *([], ["keep_alive"], []),
        *(["lost_segment"], ["ack_lost_segment"]),
        ["retransmission", "spurious_retransmission"],
        *(["fin_active"], ["fin_passive"], [], ["reused_ports"]),
    ]
    streams = Counter(
        one.must["tcp.stream"][0] for one in machine.packets if one.must["tcp.stream"]
    )
    assert streams == {0: 12, 1: 1}
    machine.teardown()
