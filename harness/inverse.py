"""What changes a measure's value: each measure declares which edits of a capture do.

``generators.mutants`` makes the edits; a claim that none of them refutes cannot fail.
"""

from __future__ import annotations

from enum import StrEnum


class Inverse(StrEnum):
    """A kind of edit of a capture, as the measure sees it."""

    COUNT = "as many packets of the view fewer or more as it takes"
    AMOUNT = "packets with the most of the field fewer or more"
    VALUE = "a value fewer, or one that no packet had"
    GROUP = "a packet of a group, or a whole group, fewer or more"
    OVERTAKE = "as many packets of a group more as let it overtake the one before it"
    SHARE = "as many groups of a size fewer or more as it takes"
    FIRST = "the first packet at another time"
    LAST = "the last packet at another time"
    BINS = "as many packets of one stretch of time fewer or more as it takes"
    GAP = "a packet nearer to, or farther from, the one before it"
    UNLIKE = "a packet of the view that does not match the filter"
    LIKE = "a packet of the view that matches the filter"
    ONE_GROUP = "a group of packets for which the filter does not hold"
    ABSENT = "every packet with one of the values dropped"
    AFTERWARDS = "behind the one packet of a group the other that never follows"
    PARTS = "what changes one of the measures it is made of"
    ONE_STAGE = "a packet that one of the stages has and the other has not"
