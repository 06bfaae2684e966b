"""A valid expectation file, with one of everything, for tests that make mistakes in it."""

VALID = """\
replicap: 1
title: Connections of a PPPoE session
source:
  by: Somebody
  url: https://example.org/figures
  commit: a13de64
  licence: BSD-3-Clause
dialect: wireshark-4.0
capture:
  name: pppoe.pcap
  url: https://example.org/pppoe.pcap
  bytes: 6296
  sha256: 7BE2000000000000000000000000000000000000000000000000000000000000
macros:
  site: ip.addr == 192.0.2.1
stages:
  - id: original
    says: everything
  - id: cleaned
    from: original
    filter: "!(lcp)"
claims:
  - id: udp-connections
    says: Two of the connections are UDP.
    at: {file: conn.log, lines: 9-15, commit: a13de64}
    tags: [streams]
    stage: cleaned
    where: udp && ${site}
    measure: {streams: udp}
    equals: 2
  - id: ports
    says: Telnet and web.
    at: {section: Stats, item: 2}
    measure: {table: {by: tcp.dstport, count: {distinct: ip.src}}}
    rows: {23: 4, 80: 5}
  - id: no-icmp
    says: There is no ICMP.
    at: {url: "https://example.org/figures#3"}
    measure: {no: icmp}
  - id: lost
    says: The filter drops packets.
    at: {section: Stats}
    measure: {difference: {stages: [original, cleaned], measure: {distinct: ip.src}}}
    about: 2.0
  - id: who
    says: A search engine owns the address.
    at: {section: Stats, item: 4}
    not_testable: needs the operator's word
    published: "yes"
    note: asked
"""
