"""Names that Wireshark knows and the registry of fields does not declare."""

from __future__ import annotations

_NAMES = """
acn aim ajp13 amqp bacnet batadv bfd bgp bittorrent bootp browser bthci_acl cdp cflow
classicstun coap cops dccp dcerpc diameter dnp3 dtls dvmrp edonkey eigrp enip fc fcoe ff fix ftp
ftp-data gelf geneve giop gopher gquic gsm_a gsm_map gtp gtpv2 h225 h245 h264 hip hsrp http
http2 http3 icap icp ieee80211 imap imf infiniband ipmi ipp ipx irc isakmp iscsi isis isl isup
ixveriwave jabber json kerberos kismet l2tp lacp ldap ldp lldp lmp loop lpd m3ua media megaco
memcache mgcp mih mip6 modbus mongo mount mqtt msnms mtp3 mysql nbdgm nbns nbss ncp netbios
netflow nfs nhrp nntp ocsp olsr openflow openvpn opcua ospf pgsql pim pop portmap pptp ptp quic
radius raknet rdp rdt redis rip ripng rlogin rpc rsh rsvp rsync rtcp rtmpt rtp rtsp rudp sap
sccp sctp sdp ses sflow sip skinny slow smb smb2 smpp smtp snmp socks ssdp ssh ssl stp stun
syslog t38 tacacs tacplus tcap tds teamspeak2 telnet teredo text tftp tls tpkt uaudp ucp usb vnc
vrrp vxlan wccp websocket who whois wireguard wlan wol wsp x11 xml xmpp yhoo zbee_nwk zebra
"""

PROTOCOLS = frozenset(_NAMES.split())
"""Well-known protocols; a name that begins with one of them is not a slip of the pen."""

OCTETS = frozenset(
    {
        *("tcp.payload", "tcp.segment_data", "tcp.reassembled.data", "tcp.options", "udp.payload"),
        *("data.data", "data.text", "icmp.data", "icmpv6.data"),
    }
)
"""Fields Wireshark has that need octets of the packet no column holds."""
