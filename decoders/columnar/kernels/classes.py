"""Classes and scanners from the facts of frames; the rules' sources stand in decoders.classify.

What was seen earlier is one hash table. A key is two addresses, ports, and what it tells of them;
both directions of it share an entry, each with bits of its own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoders.classify import (
    ECHO_REPLY,
    ECHO_REPLY_6,
    ECHO_REQUEST,
    ECHO_REQUEST_6,
    LAST_ERROR_6,
    ZMAP_ID,
)
from decoders.classify import ERRORS as _ERRORS
from decoders.classify import NEIGHBOUR_DISCOVERY as _NEIGHBOUR_DISCOVERY
from decoders.classify import ROUTER_DISCOVERY as _ROUTER_DISCOVERY
from decoders.columnar.classes import (
    CLASS_NAMES,
    FACT_DST_HI,
    FACT_DST_LO,
    FACT_DSTPORT,
    FACT_FLAGS,
    FACT_HAS,
    FACT_ID,
    FACT_KIND,
    FACT_SEQ,
    FACT_SRC_HI,
    FACT_SRC_LO,
    FACT_SRCPORT,
    FACT_TYPE,
    FACT_VERSION,
    HAS_ADDRESS_CONTROL,
    HAS_FLAGS,
    HAS_ID,
    HAS_PAIR,
    HAS_PORTS,
    HAS_QUOTED,
    HAS_SEQ,
    HAS_TYPE,
    KIND_CONTROL,
    KIND_ICMP,
    KIND_ICMPV6,
    KIND_TCP,
    KIND_UDP,
    PAIR_DST_HI,
    PAIR_DST_LO,
    PAIR_ROW,
    PAIR_SRC_HI,
    PAIR_SRC_LO,
    PAIR_VERSION,
    QUOTED_DST_HI,
    QUOTED_DST_LO,
    QUOTED_DSTPORT,
    QUOTED_HAS,
    QUOTED_KIND,
    QUOTED_SRC_HI,
    QUOTED_SRC_LO,
    QUOTED_SRCPORT,
    QUOTED_VERSION,
    SCANNER_NAMES,
)
from decoders.columnar.jit import inlined, kernel, part
from decoders.columnar.kernels import hashing
from decoders.columnar.kernels.hashing import Keys
from decoders.tcp_flags import ACK, RST, SYN

I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]

OTHER, LINK_CONTROL, SYN_PROBE, UDP_PROBE, PING, BACKSCATTER, REPLY = range(len(CLASS_NAMES))
_ZMAP, _MASSCAN, _MIRAI = (1 << bit for bit in range(len(SCANNER_NAMES)))

_FIRST_ERROR, _LAST_ERROR = min(_ERRORS), max(_ERRORS)
_ERROR_BITS = sum(1 << kind for kind in _ERRORS)
_ROUTER_BITS = sum(1 << kind for kind in _ROUTER_DISCOVERY)
_NEIGHBOUR_FIRST, _NEIGHBOUR_LAST = min(_NEIGHBOUR_DISCOVERY), max(_NEIGHBOUR_DISCOVERY)

ENTRIES, SEED, NEEDED, PAIR_AT, TOUCHED = range(5)
SEEN_STATES = 5

AHEAD = 64
"""Rows whose places in memory are looked up before they are needed."""

_TCP, _UDP, _PAIR, _PINGED, _PINGED_ALL = range(1, 6)
"""What a key tells: flows of TCP and UDP, packets of any kind, pings, pings to a group."""

_SENT, _SENT_SYN, _SENT_OF_ITSELF, _SENT_ANSWERABLE = 1, 2, 4, 8
_PROBED, _REPLIED = 1, 2

_OF_FRAME = 3
"""Entries that a frame may add, besides those of further pairs."""

Key = hashing.Key
"""From an end, to an end, and the rest as it is from the first end's point of view."""


class Seen(NamedTuple):
    """What was seen of a capture."""

    keys: Keys
    marks: U8
    """[entry]: four bits for each of both directions."""
    state: I64
    """Entries so far; seed of the hash; entries that lacked; pairs of the batch
    used; what the look ahead came upon."""
    hashes: I64
    """[2, AHEAD]: those of the rows that are next."""


@kernel
def classify(seen: Seen, facts: I64, pairs: I64, classes: U8, scanners: U8, start: int) -> int:
    """Classify rows from ``start`` on; the first row that there is no room for."""
    table, marks, state, hashes = seen
    for row in range(start, len(facts)):
        nth = (row - start) % AHEAD
        if nth == 0:
            _look_ahead(table, marks, state, facts, row, hashes)
        first = state[PAIR_AT]
        last = first
        while last < len(pairs) and pairs[last, PAIR_ROW] == row:
            last += 1
        needed = state[ENTRIES] + _OF_FRAME + last - first
        if not hashing.has_room(table, needed, _OF_FRAME + last - first) or needed > len(marks):
            state[NEEDED] = needed
            return row
        classes[row] = _class(table, marks, state, facts, row, hashes[0, nth])
        scanners[row] = _scanners(facts, row)
        if facts[row, FACT_HAS] & HAS_PAIR:
            pair = _own_key(facts, row, _PAIR, False)
            _mark(table, marks, pair, hashes[1, nth], state, _SENT)
        for at in range(first, last):
            _mark_key(table, marks, state, _key_of_pair(pairs, at), _SENT)
        state[PAIR_AT] = last
    return len(facts)


@part
def _look_ahead(table: Keys, marks: U8, state: I64, facts: I64, start: int, hashes: I64) -> None:
    """Hash the next rows' flows and pairs, and read what stands at their places."""
    last = min(start + AHEAD, len(facts))
    index, keys = table.index, table.keys
    mask, touched = len(index) - 1, 0
    for row in range(start, last):
        flow = _TCP if facts[row, FACT_KIND] == KIND_TCP else _UDP
        hashes[0, row - start] = _hash(state, _own_key(facts, row, flow, True))
        hashes[1, row - start] = _hash(state, _own_key(facts, row, _PAIR, False))
    for what in range(2):
        for nth in range(last - start):
            touched ^= index[hashes[what, nth] & mask]
    for what in range(2):
        for nth in range(last - start):
            entry = hashing.first_entry(index, hashes[what, nth])
            if entry >= 0:
                touched ^= keys[entry, 0] ^ marks[entry]
    state[TOUCHED] = touched


@inlined
def _hash(state: I64, key: Key) -> int:
    ordered = _turned(key) if _side(key) else key
    return hashing.hash_of(state[SEED], ordered[0], ordered[1], ordered[2], ordered[3], ordered[4])


@inlined
def _own_key(facts: I64, row: int, what: int, ports: bool) -> Key:
    rest = (what << 36) | (facts[row, FACT_VERSION] << 32)
    if ports:
        rest |= (facts[row, FACT_SRCPORT] << 16) | facts[row, FACT_DSTPORT]
    return (
        facts[row, FACT_SRC_HI],
        facts[row, FACT_SRC_LO],
        facts[row, FACT_DST_HI],
        facts[row, FACT_DST_LO],
        rest,
    )


@inlined
def _quoted_key(facts: I64, row: int, what: int, ports: bool) -> Key:
    rest = (what << 36) | (facts[row, QUOTED_VERSION] << 32)
    if ports:
        rest |= (facts[row, QUOTED_SRCPORT] << 16) | facts[row, QUOTED_DSTPORT]
    return (
        facts[row, QUOTED_SRC_HI],
        facts[row, QUOTED_SRC_LO],
        facts[row, QUOTED_DST_HI],
        facts[row, QUOTED_DST_LO],
        rest,
    )


@inlined
def _key_of_pair(pairs: I64, at: int) -> Key:
    return (
        pairs[at, PAIR_SRC_HI],
        pairs[at, PAIR_SRC_LO],
        pairs[at, PAIR_DST_HI],
        pairs[at, PAIR_DST_LO],
        (_PAIR << 36) | (pairs[at, PAIR_VERSION] << 32),
    )


@inlined
def _turned(key: Key) -> Key:
    """The same from the other end."""
    rest = key[4]
    return (
        key[2],
        key[3],
        key[0],
        key[1],
        (rest >> 32 << 32) | ((rest & 0xFFFF) << 16) | (rest >> 16 & 0xFFFF),
    )


@inlined
def _side(key: Key) -> int:
    """4: the key has to be turned; else 0: bits of its first end are the lower ones."""
    if key[0] != key[2]:
        return 4 if key[0] > key[2] else 0
    if key[1] != key[3]:
        return 4 if key[1] > key[3] else 0
    return 4 if key[4] >> 16 & 0xFFFF > key[4] & 0xFFFF else 0


@inlined
def _bits_of(table: Keys, marks: U8, state: I64, key: Key) -> int:
    return _bits(table, marks, key, _hash(state, key))


@part
def _bits(table: Keys, marks: U8, key: Key, hashed: int) -> int:
    """Bits of a direction, and, four bits higher, of the other one."""
    side = _side(key)
    ordered = _turned(key) if side else key
    entry = hashing.find(table, ordered, hashed)
    if entry < 0:
        return 0
    return _as_seen(np.int64(marks[entry]), key, side)


@inlined
def _as_seen(bits: int, key: Key, side: int) -> int:
    if side:
        return (bits >> 4) | ((bits & 15) << 4)
    # Of one end with itself both directions are the same.
    if key[0] == key[2] and key[1] == key[3] and (key[4] >> 16 & 0xFFFF) == key[4] & 0xFFFF:
        return bits | (bits << 4)
    return bits


@inlined
def _mark_key(table: Keys, marks: U8, state: I64, key: Key, bits: int) -> int:
    return _mark(table, marks, key, _hash(state, key), state, bits)


@part
def _mark(table: Keys, marks: U8, key: Key, hashed: int, state: I64, bits: int) -> int:
    """Set bits of a direction; what :func:`_bits` would have said before."""
    side = _side(key)
    ordered = _turned(key) if side else key
    entry = hashing.find(table, ordered, hashed)
    if entry < 0:
        place = -1 - entry
        entry = state[ENTRIES]
        state[ENTRIES] = entry + 1
        hashing.insert(table, ordered, hashed, place, entry)
        marks[entry] = bits << side
        return 0
    before = np.int64(marks[entry])
    marks[entry] = before | (bits << side)
    return _as_seen(before, key, side)


@part
def _class(table: Keys, marks: U8, state: I64, facts: I64, row: int, hashed: int) -> int:
    kind = facts[row, FACT_KIND]
    if kind == KIND_TCP:
        return _segment(table, marks, state, facts, row, hashed)
    if kind == KIND_UDP:
        return _datagram(table, marks, state, facts, row, hashed)
    if kind == KIND_ICMP:
        return _icmp(table, marks, state, facts, row)
    if kind == KIND_ICMPV6:
        return _icmpv6(table, marks, state, facts, row)
    return LINK_CONTROL if kind == KIND_CONTROL else OTHER


@part
def _segment(table: Keys, marks: U8, state: I64, facts: I64, row: int, hashed: int) -> int:
    """SYN: probe. SYN,ACK and RST: replies to what the other side sent, else backscatter."""
    known = HAS_PAIR | HAS_PORTS | HAS_FLAGS
    if facts[row, FACT_HAS] & known != known:
        return OTHER
    flags = facts[row, FACT_FLAGS]
    probe = flags & (SYN | ACK) == SYN
    sent = _SENT
    if not flags & RST:
        sent |= _SENT_ANSWERABLE
    if probe:
        sent |= _SENT_SYN | _SENT_OF_ITSELF
    elif not flags & (RST | SYN):
        sent |= _SENT_OF_ITSELF
    before = _mark(table, marks, _own_key(facts, row, _TCP, True), hashed, state, sent)
    back = before >> 4
    if probe:
        return SYN_PROBE
    if flags & RST:
        if back & _SENT_ANSWERABLE:
            return REPLY
        return OTHER if before & _SENT_OF_ITSELF else BACKSCATTER
    if flags & SYN:
        return REPLY if back & _SENT_SYN else BACKSCATTER
    return OTHER


@part
def _datagram(table: Keys, marks: U8, state: I64, facts: I64, row: int, hashed: int) -> int:
    """The direction that began a conversation probes, the other one replies."""
    has = facts[row, FACT_HAS]
    if has & HAS_ADDRESS_CONTROL:
        return LINK_CONTROL
    if not has & HAS_PAIR or not has & HAS_PORTS:
        return OTHER
    key = _own_key(facts, row, _UDP, True)
    before = _bits(table, marks, key, hashed)
    if before & _PROBED:
        return UDP_PROBE
    if before & _REPLIED:
        return REPLY
    replies = before >> 4 != 0
    _mark(table, marks, key, hashed, state, _REPLIED if replies else _PROBED)
    return REPLY if replies else UDP_PROBE


@part
def _icmp(table: Keys, marks: U8, state: I64, facts: I64, row: int) -> int:
    if not facts[row, FACT_HAS] & HAS_TYPE:
        return OTHER
    kind = facts[row, FACT_TYPE]
    if kind == ECHO_REQUEST:
        return _ping(table, marks, state, facts, row)
    if kind == ECHO_REPLY:
        return _echo_reply(table, marks, state, facts, row)
    if kind > _LAST_ERROR:
        return OTHER
    if _ERROR_BITS >> kind & 1:
        return _error(table, marks, state, facts, row)
    return LINK_CONTROL if _ROUTER_BITS >> kind & 1 else OTHER


@part
def _icmpv6(table: Keys, marks: U8, state: I64, facts: I64, row: int) -> int:
    if not facts[row, FACT_HAS] & HAS_TYPE:
        return OTHER
    kind = facts[row, FACT_TYPE]
    if kind == ECHO_REQUEST_6:
        return _ping(table, marks, state, facts, row)
    if kind == ECHO_REPLY_6:
        return _echo_reply(table, marks, state, facts, row)
    if kind <= LAST_ERROR_6:
        return _error(table, marks, state, facts, row)
    return LINK_CONTROL if _NEIGHBOUR_FIRST <= kind <= _NEIGHBOUR_LAST else OTHER


@inlined
def _is_group(facts: I64, row: int) -> bool:
    """Multicast, or limited broadcast."""
    if facts[row, FACT_VERSION] == 6:
        return facts[row, FACT_DST_HI] >> 56 & 0xFF == 0xFF
    address = facts[row, FACT_DST_LO]
    return address >> 28 == 0xE or address == 0xFFFFFFFF


@inlined
def _everybody(version: int, high: int, low: int) -> Key:
    """A ping from an address to a group: whichever group it was."""
    return high, low, 0, 0, (_PINGED_ALL << 36) | (version << 32)


@part
def _ping(table: Keys, marks: U8, state: I64, facts: I64, row: int) -> int:
    if facts[row, FACT_HAS] & HAS_PAIR:
        if _is_group(facts, row):
            version = facts[row, FACT_VERSION]
            source = _everybody(version, facts[row, FACT_SRC_HI], facts[row, FACT_SRC_LO])
            _mark_key(table, marks, state, source, _SENT)
        else:
            _mark_key(table, marks, state, _own_key(facts, row, _PINGED, False), _SENT)
    return PING


@part
def _echo_reply(table: Keys, marks: U8, state: I64, facts: I64, row: int) -> int:
    if not facts[row, FACT_HAS] & HAS_PAIR:
        return BACKSCATTER
    if _bits_of(table, marks, state, _own_key(facts, row, _PINGED, False)) >> 4:
        return REPLY
    version = facts[row, FACT_VERSION]
    asker = _everybody(version, facts[row, FACT_DST_HI], facts[row, FACT_DST_LO])
    return REPLY if _bits_of(table, marks, state, asker) & 15 else BACKSCATTER


@part
def _error(table: Keys, marks: U8, state: I64, facts: I64, row: int) -> int:
    """Was the quoted packet seen? A TCP or UDP header is one of a flow, others are a pair's."""
    if not facts[row, FACT_HAS] & HAS_QUOTED:
        return BACKSCATTER
    has, kind = facts[row, QUOTED_HAS], facts[row, QUOTED_KIND]
    if not has & HAS_PAIR:
        return BACKSCATTER
    what = _PAIR
    if has & HAS_PORTS:
        if kind == KIND_TCP:
            what = _TCP
        elif kind == KIND_UDP:
            what = _UDP
    seen_bits = _bits_of(table, marks, state, _quoted_key(facts, row, what, what != _PAIR))
    return REPLY if seen_bits & 15 else BACKSCATTER


@part
def _scanners(facts: I64, row: int) -> int:
    """Marks of an IPv4 probe: SYN without ACK, UDP, echo request."""
    if facts[row, FACT_VERSION] != 4:
        return 0
    has, kind = facts[row, FACT_HAS], facts[row, FACT_KIND]
    is_syn = kind == KIND_TCP and has & HAS_FLAGS and facts[row, FACT_FLAGS] & (SYN | ACK) == SYN
    is_ping = kind == KIND_ICMP and has & HAS_TYPE and facts[row, FACT_TYPE] == ECHO_REQUEST
    marks = 0
    if has & HAS_ID and facts[row, FACT_ID] == ZMAP_ID and (is_syn or is_ping or kind == KIND_UDP):
        marks |= _ZMAP
    known = HAS_PAIR | HAS_PORTS | HAS_SEQ
    if not is_syn or has & known != known:
        return marks
    target, seq = facts[row, FACT_DST_LO], facts[row, FACT_SEQ]
    if has & HAS_ID and facts[row, FACT_ID] == (target ^ facts[row, FACT_DSTPORT] ^ seq) & 0xFFFF:
        marks |= _MASSCAN
    if seq == target:
        marks |= _MIRAI
    return marks
