# SPDX-License-Identifier: BSD-3-Clause
"""UDP over IPv4: frames with checksums, and what they carry."""

import socket
import struct

from labtest import peer

ETHERTYPE = 0x0800
_HEADERS = peer.HEADER + 20 + 8
LARGEST = peer.MAX_FRAME - _HEADERS  # bytes of a payload


def _sum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def frame(macs, addresses, payload, ports=(4000, 5000), number=0):
    """macs, addresses, ports: (source, destination)."""
    ends = socket.inet_aton(addresses[0]) + socket.inet_aton(addresses[1])
    length = 8 + len(payload)
    checksum = _sum(ends + struct.pack("!HHHHHH", socket.IPPROTO_UDP, length, *ports, length, 0) +
                    payload)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, number & 0xFFFF, 0, 64,
                       socket.IPPROTO_UDP, 0) + ends
    head = head[:10] + struct.pack("!H", _sum(head)) + head[12:]
    return (peer.mac_bytes(macs[1]) + peer.mac_bytes(macs[0]) + struct.pack("!H", ETHERTYPE) + head +
            struct.pack("!HHHH", *ports, length, checksum or 0xFFFF) + payload)


def payload(data):
    """Of a frame."""
    return data[_HEADERS:]
