"""The registry of fields: every field is declared here, once.

Columns of the table, names and types in display filters, the spelling of values on output and the
reference pages are derived from :data:`FIELDS`. Names and types are those of ``tshark -G fields``
(Wireshark 4.0); a test holds the two together where tshark is installed. Fields of our own begin
with ``replicap.``, a prefix no Wireshark field has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, unique

from decoders import names


@unique
class FieldType(Enum):
    """Wireshark's field types (``FT_*``) that the declared fields have."""

    NONE = "FT_NONE"
    PROTOCOL = "protocol"
    BOOLEAN = "FT_BOOLEAN"
    UINT8 = "FT_UINT8"
    UINT16 = "FT_UINT16"
    UINT24 = "FT_UINT24"
    UINT32 = "FT_UINT32"
    FRAMENUM = "FT_FRAMENUM"
    IPV4 = "FT_IPv4"
    IPV6 = "FT_IPv6"
    ETHER = "FT_ETHER"
    STRING = "FT_STRING"
    BYTES = "FT_BYTES"
    ABSOLUTE_TIME = "FT_ABSOLUTE_TIME"
    RELATIVE_TIME = "FT_RELATIVE_TIME"


@unique
class ColumnType(Enum):
    """Types a column can have; each exists on every engine (Spark has no unsigned integers)."""

    INT32 = "int32"
    INT64 = "int64"
    STRING = "string"
    BOOLEAN = "boolean"
    BINARY = "binary"


UNSIGNED_BITS: Mapping[FieldType, int] = {
    FieldType.UINT8: 8,
    FieldType.UINT16: 16,
    FieldType.UINT24: 24,
    FieldType.UINT32: 32,
    FieldType.FRAMENUM: 32,
}

_COLUMN_TYPES: Mapping[FieldType, ColumnType] = {
    FieldType.NONE: ColumnType.BOOLEAN,
    FieldType.PROTOCOL: ColumnType.INT32,
    FieldType.BOOLEAN: ColumnType.BOOLEAN,
    FieldType.UINT8: ColumnType.INT32,
    FieldType.UINT16: ColumnType.INT32,
    FieldType.UINT24: ColumnType.INT64,
    FieldType.UINT32: ColumnType.INT64,
    FieldType.FRAMENUM: ColumnType.INT64,
    FieldType.IPV4: ColumnType.INT64,
    FieldType.IPV6: ColumnType.BINARY,
    FieldType.ETHER: ColumnType.BINARY,
    FieldType.STRING: ColumnType.STRING,
    FieldType.BYTES: ColumnType.BINARY,
    FieldType.ABSOLUTE_TIME: ColumnType.INT64,
    FieldType.RELATIVE_TIME: ColumnType.INT64,
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field, as Wireshark knows it.

    A frame can hold a field several times: two VLAN tags, two IP headers of a tunnel, the header
    that an ICMP error quotes. The table keeps them apart: the occurrences in the packet's own
    headers are ``column``, ``column_2``, ``column_3`` ... from the wire inwards, those in the
    packet that an ICMP error quotes ``column_quoted``, ``column_quoted_2`` ... Wireshark's order
    of all occurrences is the own ones, then the quoted ones.
    """

    name: str
    """Wireshark's name, ``tcp.dstport``."""
    type: FieldType
    doc: str
    """What a value is, with its unit."""
    hex_digits: int = 0
    """Digits when the value is spelled in hexadecimal; 0 for decimal."""
    names: Mapping[int, str] | None = None
    """Named values that a display filter accepts."""
    of: tuple[str, ...] = ()
    """Fields of which this one has all values (``tcp.port``: both ports); no column of its own."""
    text: bool = False
    """A protocol whose items carry a text of their own (``_ws.malformed``)."""
    rfc: str = ""
    """Where the field is specified."""

    @property
    def protocol(self) -> str:
        """The protocol the field belongs to: ``tcp`` of ``tcp.analysis.flags``."""
        if self.type is FieldType.PROTOCOL:
            return self.name
        head, _, rest = self.name.partition(".")
        return f"{head}.{rest.partition('.')[0]}" if head == "_ws" else head

    @property
    def column(self) -> str:
        """Column of the first occurrence in the packet's own headers."""
        return self.name.replace(".", "_")

    @property
    def column_type(self) -> ColumnType:
        return ColumnType.STRING if self.text else _COLUMN_TYPES[self.type]

    def own_column(self, occurrence: int) -> str:
        """Column of the n-th own occurrence, counted from 1."""
        return self.column if occurrence == 1 else f"{self.column}_{occurrence}"

    def quoted_column(self, occurrence: int) -> str:
        """Column of the n-th quoted occurrence, counted from 1."""
        return f"{self.column}_quoted" if occurrence == 1 else f"{self.column}_quoted_{occurrence}"


def _protocol(name: str, doc: str, *, rfc: str = "", text: bool = False) -> Field:
    return Field(name, FieldType.PROTOCOL, doc, text=text, rfc=rfc)


def _mark(name: str, doc: str) -> Field:
    return Field(name, FieldType.NONE, doc)


def _flag(name: str, doc: str, words: tuple[str, str] = ("Set", "Not set")) -> Field:
    return Field(name, FieldType.BOOLEAN, doc, names={1: words[0], 0: words[1]})


def _number(
    name: str,
    bits: int,
    doc: str,
    *,
    hex_digits: int = 0,
    words: Mapping[int, str] | None = None,
) -> Field:
    kind = {
        8: FieldType.UINT8,
        16: FieldType.UINT16,
        24: FieldType.UINT24,
        32: FieldType.UINT32,
    }[bits]
    return Field(name, kind, doc, hex_digits=hex_digits, names=words)


def _frame_number(name: str, doc: str) -> Field:
    return Field(name, FieldType.FRAMENUM, doc)


def _duration(name: str, doc: str) -> Field:
    return Field(name, FieldType.RELATIVE_TIME, doc)


def _text(name: str, doc: str) -> Field:
    return Field(name, FieldType.STRING, doc)


def _octets(name: str, doc: str) -> Field:
    return Field(name, FieldType.BYTES, doc)


def _either(name: str, kind: FieldType, first: str, second: str) -> Field:
    return Field(name, kind, f"every value of {first} and of {second}", of=(first, second))


_FRAME = (
    _protocol("frame", "every frame"),
    _number("frame.number", 32, "position in the file, from 1"),
    Field(
        "frame.time",
        FieldType.ABSOLUTE_TIME,
        "time of capture, ns since 1970-01-01 UTC",
        of=("frame.time_epoch",),
    ),
    _duration("frame.time_epoch", "time of capture, ns since 1970-01-01 UTC"),
    _duration("frame.time_relative", "ns since the first frame of the file"),
    _duration("frame.time_delta", "ns since the frame before it in the file"),
    _number("frame.len", 32, "octets on the wire"),
    _number("frame.cap_len", 32, "octets in the file"),
    _text("frame.protocols", "dissectors called, outermost first, joined by ':'"),
    _number("frame.interface_id", 32, "pcapng interface, from 0 in each section"),
    _text("frame.interface_name", "pcapng if_name, 'unknown' when the file does not say"),
    _number("frame.section_number", 32, "pcapng section, from 1"),
    _text("frame.comment", "pcapng opt_comment, one occurrence each"),
)

_LINK = (
    _protocol("eth", "Ethernet", rfc="IEEE 802.3"),
    Field("eth.dst", FieldType.ETHER, "destination address"),
    Field("eth.src", FieldType.ETHER, "source address"),
    _either("eth.addr", FieldType.ETHER, "eth.dst", "eth.src"),
    _number("eth.type", 16, "EtherType", hex_digits=4, words=names.ETHER_TYPE),
    _number("eth.len", 16, "octets of an 802.3 length frame's payload"),
    _octets("eth.padding", "zeros that fill a frame up to 60 octets"),
    _octets("eth.trailer", "octets behind the payload that are neither padding nor FCS"),
    _number("eth.fcs", 32, "frame check sequence", hex_digits=8),
    _protocol("vlan", "802.1Q tag", rfc="IEEE 802.1Q"),
    _number("vlan.priority", 16, "priority code point", words=names.VLAN_PRIORITY),
    _flag("vlan.dei", "drop eligible indicator", ("Eligible", "Ineligible")),
    _number("vlan.id", 16, "VLAN identifier of an 802.1Q tag (not of an 802.1ad one)"),
    _number("vlan.etype", 16, "EtherType behind the tag", hex_digits=4, words=names.ETHER_TYPE),
    _number("vlan.len", 16, "length behind the tag of an 802.3 length frame, octets"),
    _protocol("ieee8021ad", "802.1ad service tag", rfc="IEEE 802.1ad"),
    _number("ieee8021ad.id", 16, "VLAN identifier of a single service tag"),
    _number("ieee8021ad.svid", 16, "outer VLAN identifier of two service tags in a row"),
    _number("ieee8021ad.cvid", 16, "inner VLAN identifier of two service tags in a row"),
    _protocol("llc", "802.2 logical link control", rfc="IEEE 802.2"),
    _protocol("sll", "Linux cooked capture, version 1 and 2"),
    _protocol("null", "BSD loopback"),
    _protocol("raw", "packets without a link header"),
    _protocol("chdlc", "Cisco HDLC"),
    _protocol("mpls", "MPLS label", rfc="RFC 3032"),
    _protocol("arp", "Address Resolution Protocol", rfc="RFC 826"),
    _number("arp.opcode", 16, "operation", words=names.ARP_OPCODE),
    Field("arp.src.proto_ipv4", FieldType.IPV4, "sender's IPv4 address"),
    Field("arp.dst.proto_ipv4", FieldType.IPV4, "target's IPv4 address"),
)

_PPP = (
    _protocol("pppoe", "parent of the PPPoE fields; no packet has it", rfc="RFC 2516"),
    _protocol("pppoed", "PPPoE discovery", rfc="RFC 2516 section 5"),
    _protocol("pppoes", "PPPoE session", rfc="RFC 2516 section 6"),
    _number("pppoe.version", 8, "PPPoE version"),
    _number("pppoe.type", 8, "PPPoE type"),
    _number("pppoe.code", 8, "PPPoE code", hex_digits=2, words=names.PPPOE_CODE),
    _number("pppoe.session_id", 16, "PPPoE session", hex_digits=4),
    _number("pppoe.payload_length", 16, "octets of PPPoE payload, as the header says"),
    _protocol("ppp", "Point-to-Point Protocol", rfc="RFC 1661"),
    _number("ppp.protocol", 16, "PPP protocol number", hex_digits=4, words=names.PPP_PROTOCOL),
    _number("ppp.code", 8, "code of a control protocol's packet"),
    _protocol("lcp", "Link Control Protocol", rfc="RFC 1661"),
    _protocol("pap", "Password Authentication Protocol", rfc="RFC 1334"),
    _number("pap.code", 8, "PAP code"),
    _protocol("chap", "Challenge Handshake Authentication Protocol", rfc="RFC 1994"),
    _number("chap.code", 8, "CHAP code"),
    _protocol("ipcp", "PPP IP Control Protocol", rfc="RFC 1332"),
    _protocol("ipv6cp", "PPP IPv6 Control Protocol", rfc="RFC 5072"),
    _protocol("ccp", "PPP Compression Control Protocol", rfc="RFC 1962"),
    _protocol("mplscp", "PPP MPLS Control Protocol", rfc="RFC 3032"),
    _protocol("mp", "PPP Multilink Protocol", rfc="RFC 1990"),
    _protocol("eap", "Extensible Authentication Protocol", rfc="RFC 3748"),
)

_IP = (
    _protocol("ip", "Internet Protocol version 4", rfc="RFC 791"),
    _number("ip.version", 8, "IP version; 6 in IPv6 packets"),
    _number("ip.hdr_len", 8, "octets of the IPv4 header"),
    _number(
        "ip.len", 16, "octets of the IPv4 packet; of the rest of the frame when the header says 0"
    ),
    _number("ip.id", 16, "identification", hex_digits=4),
    _flag("ip.flags.rb", "reserved bit"),
    _flag("ip.flags.df", "don't fragment"),
    _flag("ip.flags.mf", "more fragments"),
    _number("ip.frag_offset", 16, "fragment offset, in units of 8 octets"),
    _number("ip.ttl", 8, "time to live"),
    _number("ip.proto", 8, "protocol number", words=names.IP_PROTO),
    _number("ip.checksum", 16, "header checksum", hex_digits=4),
    _number("ip.checksum.status", 8, "2: not checked", words=names.CHECKSUM_STATUS),
    Field("ip.src", FieldType.IPV4, "source address"),
    Field("ip.dst", FieldType.IPV4, "destination address"),
    _either("ip.addr", FieldType.IPV4, "ip.src", "ip.dst"),
    _frame_number("ip.reassembled_in", "frame that completes the datagram; a second pass only"),
    _number("ip.fragment.count", 32, "fragments the datagram was put together from"),
    _protocol("ipv6", "Internet Protocol version 6", rfc="RFC 8200"),
    _number("ipv6.plen", 16, "octets behind the fixed header, as it says"),
    _number("ipv6.nxt", 8, "next header of the fixed header", words=names.IP_PROTO),
    _number("ipv6.hlim", 8, "hop limit"),
    Field("ipv6.src", FieldType.IPV6, "source address"),
    Field("ipv6.dst", FieldType.IPV6, "destination address"),
    _either("ipv6.addr", FieldType.IPV6, "ipv6.src", "ipv6.dst"),
    _protocol("ipv6.hopopts", "hop-by-hop options header", rfc="RFC 8200 section 4.3"),
    _protocol("ipv6.routing", "routing header", rfc="RFC 8200 section 4.4"),
    _protocol("ipv6.fraghdr", "fragment header", rfc="RFC 8200 section 4.5"),
    _number("ipv6.fraghdr.offset", 16, "fragment offset, in units of 8 octets"),
    _protocol("ipv6.dstopts", "destination options header", rfc="RFC 8200 section 4.6"),
    _frame_number("ipv6.reassembled.in", "frame that completes the datagram; second pass only"),
    _protocol("ah", "Authentication Header", rfc="RFC 4302"),
    _protocol("esp", "Encapsulating Security Payload", rfc="RFC 4303"),
    _protocol("gre", "Generic Routing Encapsulation", rfc="RFC 2784"),
    _protocol("igmp", "Internet Group Management Protocol", rfc="RFC 3376"),
    _protocol("sctp", "Stream Control Transmission Protocol", rfc="RFC 9260"),
    _protocol("icmp", "Internet Control Message Protocol", rfc="RFC 792"),
    _number("icmp.type", 8, "ICMP type (not of ICMPv6)"),
    _number("icmp.code", 8, "ICMP code (not of ICMPv6)"),
    _number("icmp.checksum.status", 8, "0 bad, 1 good, 2 not checked", words=names.CHECKSUM_STATUS),
    _protocol("icmpv6", "Internet Control Message Protocol version 6", rfc="RFC 4443"),
    _number("icmpv6.type", 8, "ICMPv6 type", words=names.ICMPV6_TYPE),
    _number("icmpv6.code", 8, "ICMPv6 code"),
)

_TCP_FLAGS = (
    ("res", "reserved bits"),
    ("ae", "accurate ECN"),
    ("cwr", "congestion window reduced"),
    ("ece", "ECN echo"),
    ("urg", "urgent"),
    ("ack", "acknowledgment"),
    ("push", "push"),
    ("reset", "reset"),
    ("syn", "synchronize"),
    ("fin", "finish"),
)

_TCP = (
    _protocol("tcp", "Transmission Control Protocol", rfc="RFC 9293"),
    _number("tcp.srcport", 16, "source port"),
    _number("tcp.dstport", 16, "destination port"),
    _either("tcp.port", FieldType.UINT16, "tcp.srcport", "tcp.dstport"),
    _number("tcp.stream", 32, "conversation, from 0 in order of first appearance"),
    _number("tcp.completeness", 8, "1 SYN, 2 SYN,ACK, 4 ACK, 8 data, 16 FIN, 32 RST seen before"),
    _number("tcp.len", 32, "octets of payload"),
    _number("tcp.seq", 32, "sequence number relative to the conversation's first"),
    _number("tcp.seq_raw", 32, "sequence number"),
    _number("tcp.nxtseq", 32, "relative sequence number expected next"),
    _number("tcp.ack", 32, "acknowledgment number relative to the conversation's first"),
    _number("tcp.ack_raw", 32, "acknowledgment number"),
    _number("tcp.hdr_len", 8, "octets of the header"),
    _number("tcp.flags", 16, "twelve flag bits", hex_digits=4),
    *(_flag(f"tcp.flags.{name}", doc) for name, doc in _TCP_FLAGS),
    _text("tcp.flags.str", "one letter for each set flag, a middle dot for each other"),
    _number("tcp.window_size_value", 16, "window field"),
    _number("tcp.window_size", 32, "window in octets, scaled when both SYN were seen"),
    _number("tcp.checksum", 16, "checksum", hex_digits=4),
    _number("tcp.checksum.status", 8, "2: not checked", words=names.CHECKSUM_STATUS),
    _number("tcp.urgent_pointer", 16, "urgent pointer"),
    _mark("tcp.connection.syn", "connection establish request: SYN without ACK"),
    _mark("tcp.connection.synack", "connection establish acknowledge: SYN with ACK"),
    _mark("tcp.connection.fin", "connection finish: FIN"),
    _mark("tcp.connection.fin_active", "FIN, and the other side did not close first"),
    _mark("tcp.connection.fin_passive", "FIN, and the other side closed first"),
    _mark("tcp.connection.rst", "connection reset: RST"),
)

_TCP_ANALYSIS = (
    _mark("tcp.analysis", "TCP analysis has something to say"),
    _mark("tcp.analysis.flags", "at least one mark of the analysis"),
    _mark("tcp.analysis.retransmission", "suspected retransmission"),
    _mark("tcp.analysis.fast_retransmission", "suspected fast retransmission"),
    _mark("tcp.analysis.spurious_retransmission", "suspected spurious retransmission"),
    _mark("tcp.analysis.out_of_order", "out-of-order segment"),
    _mark("tcp.analysis.reused_ports", "a SYN or SYN,ACK of a conversation that reuses its ports"),
    _mark("tcp.analysis.lost_segment", "the segment before was not captured"),
    _mark("tcp.analysis.ack_lost_segment", "acknowledges a segment that was not captured"),
    _mark("tcp.analysis.window_update", "window update"),
    _mark("tcp.analysis.window_full", "fills the window that the other side announced"),
    _mark("tcp.analysis.keep_alive", "keep-alive"),
    _mark("tcp.analysis.keep_alive_ack", "answer to a keep-alive"),
    _mark("tcp.analysis.zero_window_probe", "zero window probe"),
    _mark("tcp.analysis.zero_window", "announces a window of zero"),
    _mark("tcp.analysis.zero_window_probe_ack", "answer to a zero window probe"),
    _mark("tcp.analysis.duplicate_ack", "duplicate ACK"),
    _number("tcp.analysis.duplicate_ack_num", 32, "how many duplicates so far"),
    _frame_number("tcp.analysis.duplicate_ack_frame", "frame of the ACK that is repeated"),
    _frame_number("tcp.analysis.acks_frame", "frame of the segment that is acknowledged"),
    _duration("tcp.analysis.ack_rtt", "ns since the segment that is acknowledged"),
    _duration("tcp.analysis.initial_rtt", "ns from SYN to the handshake's ACK"),
    _mark("tcp.analysis.tfo_ack", "SYN,ACK that acknowledges fast open data"),
    _duration("tcp.analysis.rto", "ns since the segment that is sent again"),
    _frame_number("tcp.analysis.rto_frame", "frame of the segment that is sent again"),
    _number("tcp.analysis.bytes_in_flight", 32, "octets sent and not acknowledged"),
    _number("tcp.analysis.push_bytes_sent", 32, "octets sent since the last PSH"),
)

_UDP = (
    _protocol("udp", "User Datagram Protocol", rfc="RFC 768"),
    _protocol("udplite", "UDP-Lite", rfc="RFC 3828"),
    _number("udp.srcport", 16, "source port"),
    _number("udp.dstport", 16, "destination port"),
    _either("udp.port", FieldType.UINT16, "udp.srcport", "udp.dstport"),
    _number("udp.length", 16, "octets of header and payload, as the header says"),
    _number("udp.checksum", 16, "checksum", hex_digits=4),
    _number(
        "udp.checksum.status", 8, "2 not checked, 3 none, 4 illegal", words=names.CHECKSUM_STATUS
    ),
    _number("udp.stream", 32, "conversation, from 0 in order of first appearance"),
)

_APPLICATION = (
    _protocol("data", "octets that no dissector claims"),
    _protocol("dns", "Domain Name System", rfc="RFC 1035"),
    _protocol("mdns", "Multicast DNS", rfc="RFC 6762"),
    _protocol("llmnr", "Link-Local Multicast Name Resolution", rfc="RFC 4795"),
    _protocol("ntp", "Network Time Protocol", rfc="RFC 5905"),
    _protocol("dhcp", "Dynamic Host Configuration Protocol", rfc="RFC 2131"),
    _protocol("dhcpv6", "Dynamic Host Configuration Protocol for IPv6", rfc="RFC 8415"),
    _number("dhcpv6.msgtype", 8, "message type", words=names.DHCPV6_MSGTYPE),
)

_EXPERT = (
    _protocol("_ws.malformed", "a length that lies, or a header that ends early", text=True),
    _protocol("_ws.short", "cut by the capture: the packet goes on beyond the captured octets"),
    _protocol("_ws.unreassembled", "a fragment that was not put together ends early"),
    _protocol("_ws.expert", "an expert item"),
    _number("_ws.expert.severity", 32, "severity of an expert item", words=names.EXPERT_SEVERITY),
    _number("_ws.expert.group", 32, "group of an expert item", words=names.EXPERT_GROUP),
    _text("_ws.expert.message", "text of an expert item, in our words"),
)

WITH_OCTETS = (
    *("frame", "eth", "vlan", "llc", "sll", "null", "arp", "mpls", "gre"),
    *("pppoed", "pppoes", "ppp", "lcp", "pap", "chap", "ipcp", "ipv6cp", "ccp", "mplscp"),
    *("ip", "ipv6", "tcp", "udp", "icmp", "icmpv6"),
    *("data", "dns", "mdns", "llmnr", "ntp", "dhcp", "dhcpv6"),
)
"""Protocols whose octets a filter can look into."""

PIECES = ("eth.padding", "eth.trailer")
"""Fields of octets that a filter can look into."""

OCTETS, ITEM = "replicap.octets.", "replicap.item."
"""Prefixes of the fields that hold them, as text: one character (U+0000 to U+00FF) an octet."""

LENGTH = "replicap.length."
"""Prefix of the fields that hold how many octets a protocol's own item has, captured or not."""

_OCTETS_OF = (
    *(
        _text(f"{OCTETS}{name}", f"octets from the beginning of {name} to the packet's end")
        for name in WITH_OCTETS
    ),
    *(_text(f"{ITEM}{name}", f"octets of {name} itself") for name in WITH_OCTETS),
    *(_number(f"{LENGTH}{name}", 32, f"octets that {name} itself has") for name in WITH_OCTETS),
    *(_text(f"{ITEM}{name}", f"octets of {name}") for name in PIECES),
)

_ENDS = (
    _text("replicap.tcp.src", "source address of this TCP header, IPv4 or IPv6, also in a tunnel"),
    _text("replicap.tcp.dst", "destination address of this TCP header, IPv4 or IPv6"),
    _text("replicap.udp.src", "source address of this UDP header, IPv4 or IPv6, also in a tunnel"),
    _text("replicap.udp.dst", "destination address of this UDP header, IPv4 or IPv6"),
)
"""The ends of a conversation: in a tunnel ``ip.src`` has the outer address first."""

EXPERT_LAYER = "replicap.expert.layer"

_OWN = (
    _number(
        EXPERT_LAYER,
        32,
        "header that an expert item is about, counted from 1 among those of its protocol",
    ),
    _text(
        "replicap.undecoded", "what this decoder does not see inside the frame, and Wireshark may"
    ),
    _text("replicap.class", "what the packet is: one of decoders.classify.CLASSES"),
    _text("replicap.scanner", "scanner whose mark the packet carries, one occurrence each"),
)

FIELDS: Mapping[str, Field] = {
    field.name: field
    for group in (
        *(
            _FRAME,
            _LINK,
            _PPP,
            _IP,
            _TCP,
            _TCP_ANALYSIS,
            _UDP,
            _APPLICATION,
            _EXPERT,
            _OWN,
            _ENDS,
            _OCTETS_OF,
        ),
    )
    for field in group
}
"""Every field by Wireshark's name, in the order of declaration."""


def nearest(name: str, count: int = 1) -> list[str]:
    """The declared names most like a misspelt one, best first; empty when none is alike."""
    import difflib

    return difflib.get_close_matches(name, FIELDS, n=count, cutoff=0.6)


def stored(wanted: Iterable[str]) -> list[Field]:
    """The fields that have columns, for names that may stand for several (``tcp.port``).

    Raises KeyError for a name that is not declared.
    """
    found: dict[str, Field] = {}
    for name in wanted:
        field = FIELDS[name]
        for part in field.of or (name,):
            found[part] = FIELDS[part]
    return list(found.values())
