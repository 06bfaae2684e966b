"""Conversation kernels against the reference: every field of every header, in every batch split.

Numbers, ports and addresses are few, so that segments meet, wrap around and collide.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decoders.columnar.conversations import Conversations
from decoders.columnar.jit import kernel
from decoders.columnar.kernels import flows, hashing, sink, streams
from decoders.columnar.numbers import CONVERSATION_TEXTS, spelled
from decoders.columnar.transport import FIELD_OF, MARK_FIELDS, STREAM
from decoders.fields import FIELDS
from decoders.row import Datagram, Segment
from decoders.tcp_analysis import MOST_UNACKED
from decoders.tcp_flags import ACK, FIN, PSH, RST, SYN
from tests.decoders.conversation_rows import (
    NUMBERING,
    Shown,
    rows_of,
    segment,
    told_by_kernels,
    told_by_reference,
)

MODULUS, SECOND, MS = 1 << 32, 1_000_000_000, 1_000_000
V4 = (0, 1, 2, 0xFFFFFFFF)
V6 = (bytes(16), bytes(15) + b"\1", b"\xff" * 16, b"\1" + bytes(15), bytes(7) + b"\1" + bytes(8))
FIRST = (0, 1, 1000, MODULUS - 1, MODULUS - 2, MODULUS - 101, 1 << 31, (1 << 31) + 5)
STEPS = (0, 0, 1, 1, 2, 10, 11, 12, 20, 100, 101, 1 << 31)

numbers = st.builds(
    lambda first, step: (first + step) % MODULUS, st.sampled_from(FIRST), st.sampled_from(STEPS)
)
ports = st.sampled_from((1, 2, 65535))
flags = st.sampled_from(
    (SYN, SYN | ACK, ACK, PSH | ACK, FIN | ACK, RST, RST | ACK, FIN, 0, SYN | FIN, SYN | RST, 0xFFF)
)


@st.composite
def ends(draw: st.DrawFn) -> tuple[int | bytes, int, int | bytes, int]:
    addresses = st.sampled_from(draw(st.sampled_from((V4[:3], V4, V6))))
    return draw(addresses), draw(ports), draw(addresses), draw(ports)


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    quoted = draw(st.sampled_from((False, False, False, True)))
    lengths = st.sampled_from((0, 0, 1, 1, 2, 10, 100, 1 << 31, None))
    return segment(
        draw(ends()),
        draw(flags),
        draw(numbers),
        draw(numbers),
        None if quoted else draw(lengths),
        quoted=quoted,
        window=draw(st.sampled_from((0, 10, 10, 1000, 65535))),
        options_cut=draw(st.sampled_from((False, False, False, True))),
        window_scale=draw(st.sampled_from((None, -2, 0, 7, 14))),
        payload_at=draw(st.sampled_from((None, 3))),
    )


@st.composite
def datagrams(draw: st.DrawFn) -> Datagram:
    src, srcport, dst, dstport = draw(ends())
    return Datagram(src, dst, srcport, dstport, draw(st.booleans()))


headers = st.one_of(segments(), segments(), segments(), datagrams())
frames = st.builds(
    Shown,
    headers=st.lists(headers, min_size=1, max_size=3).map(tuple),
    time_ns=st.sampled_from((None, 0, SECOND, SECOND + MS, SECOND + 20 * MS, 2 * SECOND, -1)),
    shows_flags=st.sampled_from((True, True, True, False)),
)
captures = st.lists(frames, max_size=40)


@given(captures)
@settings(max_examples=150, deadline=None)
def test_every_field_of_every_header(shown: list[Shown]) -> None:
    assert told_by_kernels(rows_of(shown)) == told_by_reference(rows_of(shown))


@given(captures)
@settings(max_examples=50, deadline=None)
def test_numbers_without_analysis(shown: list[Shown]) -> None:
    ours = told_by_kernels(rows_of(shown, NUMBERING))
    assert ours == told_by_reference(rows_of(shown, NUMBERING))


@given(captures, st.lists(st.integers(0, 9), max_size=6))
@settings(max_examples=50, deadline=None)
def test_batches_may_end_anywhere(shown: list[Shown], sizes: list[int]) -> None:
    assert told_by_kernels(rows_of(shown), sizes) == told_by_kernels(rows_of(shown))


CLIENT = (1, 40000, 2, 80)
SERVER = (2, 80, 1, 40000)


def conversation(seed: int, segments: int) -> Iterator[Shown]:
    """A client and a server that lose, repeat, delay and reorder what they send."""
    random_ = random.Random(seed)
    sent, time = [random_.choice(FIRST), random_.choice(FIRST)], SECOND
    for ends, mine, flag in ((CLIENT, 0, SYN), (SERVER, 1, SYN | ACK)):
        first = segment(ends, flag, sent[mine], sent[1 - mine] if mine else 0, window_scale=3)
        sent[mine] = (sent[mine] + 1) % MODULUS
        yield Shown((first,), time)
    for nth in range(segments):
        mine = random_.randrange(2)
        if nth % 50 == 0:
            yield from stalled(random_, sent, time)
        length = random_.choice((0, 0, 1, 100, 1460))
        seq = (sent[mine] - random_.choice((0, 0, 0, 0, 1, 100, 1460, -100))) % MODULUS
        ack = (sent[1 - mine] - random_.choice((0, 0, 0, 1, 100, -50))) % MODULUS
        flag = random_.choice((ACK, ACK, ACK, ACK | PSH, ACK | PSH, ACK | FIN))
        window = random_.choice((0, 100, 1000, 1000, 1000))
        time += random_.choice((0, MS, 5 * MS, 30 * MS, -MS))
        yield Shown(
            (segment((CLIENT, SERVER)[mine], flag, seq, ack, length, window=window, payload_at=3),),
            time,
        )
        if random_.random() < 0.8:
            sent[mine] = max(sent[mine], seq + length) % MODULUS


def stalled(random_: random.Random, sent: list[int], time: int) -> Iterator[Shown]:
    """The server has no room, or nothing to say; the client asks, and it says so again."""
    window = random_.choice((0, 0, 1000))
    before = 0 if window == 0 else 1
    answer = segment(SERVER, ACK, sent[1], sent[0], window=window)
    question = segment(CLIENT, ACK, (sent[0] - before) % MODULUS, sent[1], 1)
    for header in (answer, question, answer, question, answer):
        yield Shown((header,), time)


@pytest.mark.parametrize("seed", range(4))
def test_long_conversations(seed: int) -> None:
    shown = list(conversation(seed, 1500))
    told = told_by_kernels(rows_of(shown), [7, 0, 300])
    assert told == told_by_reference(rows_of(shown))
    seen = {name for own, _, _ in told for name in own}
    assert {"tcp.analysis.retransmission", "tcp.analysis.bytes_in_flight"} <= seen


def test_what_is_compared_has_every_mark() -> None:
    """Segments at random meet every rule: else the comparisons above would say nothing of it."""
    seen: set[str] = set()
    random_ = random.Random(1)
    for seed in range(8):
        for own, _, _ in told_by_kernels(rows_of(conversation(seed, 1500))):
            seen |= own.keys()
    for _ in range(20):
        told = told_by_kernels(rows_of(collisions(random_, 300)))
        for own, quoted, taken in told:
            seen |= own.keys() | quoted.keys() | ({"taken back"} if taken else set())
    assert {*MARK_FIELDS, *FIELD_OF.values(), "udp.stream", "taken back"} <= seen


def collisions(random_: random.Random, count: int) -> Iterator[Shown]:
    """Segments of a few ends with a few numbers."""
    time = 0
    for _ in range(count):
        made: list[Segment | Datagram] = []
        for nth in range(random_.choice((1, 1, 1, 2))):
            source = random_.choice((CLIENT, SERVER, CLIENT, (1, 5, 1, 5), (1, 5, 1, 6)))
            if random_.random() < 0.1:
                made.append(Datagram(source[0], source[2], source[1], source[3], bool(nth)))
                continue
            seq, ack = ((random_.choice(FIRST) + random_.choice(STEPS)) % MODULUS for _ in range(2))
            flag = random_.choice((SYN, SYN | ACK, ACK, ACK, ACK, ACK | PSH, ACK | FIN, RST))
            length = None if nth or random_.random() < 0.1 else random_.choice((0, 0, 1, 1, 10))
            made.append(
                segment(
                    source,
                    flag,
                    seq,
                    ack,
                    length,
                    quoted=bool(nth),
                    window=random_.choice((0, 0, 1, 10, 10)),
                    options_cut=random_.random() < 0.1,
                    window_scale=random_.choice((None, -2, 0, 1, 14)),
                    payload_at=random_.choice((None, 3)),
                )
            )
        time += random_.choice((0, 0, 1, MS, 3 * MS, 20 * MS, SECOND, -5))
        shows = random_.random() < 0.9
        yield Shown(tuple(made), None if random_.random() < 0.05 else time, shows)


@pytest.mark.parametrize("seed", range(10))
def test_collisions(seed: int) -> None:
    shown = list(collisions(random.Random(seed), 400))
    told = told_by_kernels(rows_of(shown), [1, 50, 3])
    assert told == told_by_reference(rows_of(shown))


@pytest.mark.parametrize("first", [SYN, SYN | ACK, RST, RST | ACK, SYN | RST])
@pytest.mark.parametrize("second", [SYN, SYN | ACK, ACK, RST, RST | ACK, FIN | ACK])
@pytest.mark.parametrize("ends", [CLIENT, SERVER])
def test_what_waits_is_analysed_with_its_own_numbers(
    first: int, second: int, ends: tuple[int, int, int, int]
) -> None:
    """Also when the second segment tells that its direction begins elsewhere."""
    numbers = ((10, 0), (10, 7), (0, 7), (MODULUS - 1, MODULUS - 1))
    for seq, ack in numbers:
        for other_seq, other_ack in (*numbers, (ack, seq), (ack - 1, seq + 1), (99, 10), (6, 11)):
            for quoted in (False, True):
                shown = [Shown((segment(CLIENT, first, seq, ack, window_scale=3),), SECOND)]
                answer = segment(ends, second, other_seq % MODULUS, other_ack % MODULUS)
                answer.quoted, answer.length = quoted, None if quoted else 0
                shown.append(Shown((answer,), 2 * SECOND))
                shown += [
                    Shown((segment(ends, ACK, seq, ack, 1),), nth * SECOND)
                    for nth, ends in ((3, SERVER), (4, CLIENT))
                ]
                assert told_by_kernels(rows_of(shown)) == told_by_reference(rows_of(shown))


def test_a_flow_that_nobody_acknowledges() -> None:
    """More segments than are remembered; then an ACK for some, and one for all."""
    shown = [
        Shown((segment(CLIENT, ACK, nth, 1, 1),), SECOND + nth) for nth in range(MOST_UNACKED + 20)
    ]
    shown += [
        Shown((segment(SERVER, ACK, 1, ack, 0),), 2 * SECOND)
        for ack in (500, 500, MOST_UNACKED, MOST_UNACKED + 20)
    ]
    shown.append(Shown((segment(CLIENT, ACK, 5, 1, 10),), 3 * SECOND))
    assert told_by_kernels(rows_of(shown)) == told_by_reference(rows_of(shown))


@pytest.mark.parametrize(("place", "taken"), [(3, True), (4, False), (None, False)])
def test_a_payload_is_taken_back_when_it_is_named(place: int | None, taken: bool) -> None:
    """Sent again; the row names four protocols, the payload is the one at place 3."""
    payload = segment(CLIENT, ACK, 5, 1, 10, payload_at=place)
    shown = [Shown((payload,), nth * SECOND) for nth in range(2)]
    told = told_by_kernels(rows_of(shown))
    assert told == told_by_reference(rows_of(shown))
    assert [back for _, _, back in told] == [False, taken]


def test_a_conversation_that_opens_again_gives_its_segments_back() -> None:
    conversations = Conversations(True)
    shown = [Shown((segment(CLIENT, SYN, 10 * nth),), nth) for nth in range(2000)]
    told = told_by_kernels(rows_of(shown))
    assert [own["tcp.stream"] for own, _, _ in told] == [[nth] for nth in range(2000)]
    before = conversations.octets
    annotate(conversations, syns(np.zeros(5000, np.int64), np.arange(5000) * 10))
    assert conversations.octets == before


def annotate(conversations: Conversations, matrix: np.ndarray) -> list[int]:
    rows = len(matrix)
    found = conversations.annotate(matrix, 1, np.zeros(rows, np.int64), np.ones(rows, np.bool_))
    return list(found.cells[:, STREAM].tolist())


def syns(ports: np.ndarray, seq: np.ndarray) -> np.ndarray:
    matrix = np.zeros((len(ports), sink.HEADER_PLACES), np.int64)
    matrix[:, sink.HEADER_ROW] = np.arange(len(ports))
    matrix[:, sink.HEADER_TCP], matrix[:, sink.HEADER_VERSION] = 1, 4
    matrix[:, sink.HEADER_DST_LO], matrix[:, sink.HEADER_SRCPORT] = 1 + (ports >> 16), ports & 65535
    matrix[:, sink.HEADER_SEQ], matrix[:, sink.HEADER_FLAGS] = seq, SYN
    matrix[:, sink.HEADER_SHOWN], matrix[:, sink.HEADER_SCALE] = 1, -1
    return matrix


@pytest.mark.parametrize("wanted", [False, True])
def test_tables_grow(wanted: bool) -> None:
    ports = np.arange(50_000)
    conversations = Conversations(wanted)
    assert annotate(conversations, syns(ports, ports)) == list(range(50_000))
    assert annotate(conversations, syns(ports[::-1], ports[::-1])) == list(range(49_999, -1, -1))
    assert conversations.octets < 50_000 * (480 if wanted else 80)


def test_a_probe_that_nobody_answers_takes_little_memory() -> None:
    ports = np.arange(50_000)
    conversations = Conversations(True)
    annotate(conversations, syns(ports, ports))
    assert conversations.octets < 50_000 * 100


@kernel
def find(table: hashing.Keys, key: hashing.Key, hashed: int) -> int:
    return hashing.find(table, key, hashed)


@kernel
def insert(table: hashing.Keys, key: hashing.Key, hashed: int, place: int, entry: int) -> None:
    hashing.insert(table, key, hashed, place, entry)


def test_keys_of_one_hash_are_told_apart() -> None:
    """Every key falls on the same place of the index; the keys decide."""
    wide = np.zeros((3, hashing.WIDE), np.int64)
    wide[0, 0] = 1
    table = hashing.Keys(np.zeros(16, np.int64), np.zeros((8, hashing.KEY), np.int64), wide)
    numbers = [
        (0, 1, 0, 2, 3),
        (0, 1, 0, 2, 4),
        (0, 1, 0, 3, 3),
        (1, 1, 0, 2, 3),
        (1, 1, 1, 2, 3),
        (0, (1 << 32) - 1, 0, 2, 3),
    ]
    # What kernels read from arrays has 64 bits, also without the compiler.
    keys = [tuple(map(np.int64, key)) for key in numbers]
    for entry, key in enumerate(keys):
        place = -1 - find(table, key, 7)
        assert place == (7 + entry) % 16
        insert(table, key, 7, place, entry)
    assert [find(table, key, 7) for key in keys] == [0, 1, 2, 3, 4, 5]
    assert wide.tolist() == [[3, 0, 0, 0], [1, 1, 0, 2], [1, 1, 1, 2]]
    larger = np.concatenate((table.index, np.zeros(16, np.int64)))
    hashing.spread(larger, 16, np.empty(4, np.int64))
    assert [find(table._replace(index=larger), key, 7) for key in keys] == [0, 1, 2, 3, 4, 5]


def test_results_do_not_depend_on_the_seed_of_the_hash() -> None:
    ports = np.arange(5000) % 1700
    found = []
    for seed in (0, 1, (1 << 32) - 1):
        conversations = Conversations(False)
        conversations._table.state[streams.SEED] = seed
        found.append(annotate(conversations, syns(ports, ports * 0)))
    assert found[0] == found[1] == found[2] == ports.tolist()


def test_names_of_fields_and_messages() -> None:
    """The registry knows all; a mark's message is its name, as the reference spells it."""
    assert all(name in FIELDS for name in (*MARK_FIELDS, *FIELD_OF.values()))
    said = MARK_FIELDS[: MARK_FIELDS.index("tcp.analysis")]
    assert list(said) == sorted(said)
    messages = [name.removeprefix("tcp.analysis.").replace("_", " ") for name in said]
    assert [spelled(code) for code in CONVERSATION_TEXTS[: len(said)]] == messages


def test_a_header_finds_room_wherever_it_is() -> None:
    """ROOM covers what one header may need: an expert item for every mark, and two more."""
    needed = MARK_FIELDS.index("tcp.analysis") + 2
    assert needed < flows.ROOM


def test_without_the_compiler() -> None:
    """The same kernels as plain Python, where NumPy warns of every number that overflows."""
    tests = f"{__file__}::test_collisions"
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", tests]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-2000:]
    assert "10 passed" in ran.stdout


def test_no_headers() -> None:
    assert annotate(Conversations(True), syns(np.zeros(0, np.int64), np.zeros(0, np.int64))) == []
