# SPDX-License-Identifier: BSD-3-Clause
"""UDP over IPv4: frames with checksums, and what they carry."""

import socket
import struct

from labtest import peer

ETHERTYPE = 0x0800
_MORE_FRAGMENTS = 0x2000
_HEADERS = peer.HEADER + 20 + 8
LARGEST = peer.MAX_FRAME - _HEADERS  # bytes of a payload


def checksum(data):
    """RFC 1071's, as the headers have it."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def frame(macs, addresses, payload, ports=(4000, 5000), number=0):
    """macs, addresses, ports: (source, destination)."""
    ends = socket.inet_aton(addresses[0]) + socket.inet_aton(addresses[1])
    length = 8 + len(payload)
    of_udp = checksum(ends + struct.pack("!HHHHHH", socket.IPPROTO_UDP, length, *ports, length, 0) +
                    payload)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, number & 0xFFFF, 0, 64,
                       socket.IPPROTO_UDP, 0) + ends
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return (peer.mac_bytes(macs[1]) + peer.mac_bytes(macs[0]) + struct.pack("!H", ETHERTYPE) + head +
            struct.pack("!HHHH", *ports, length, of_udp or 0xFFFF) + payload)


def fragments(whole, pieces):
    """An IPv4 frame in as many fragments."""
    head, data, made = whole[:peer.HEADER + 20], whole[peer.HEADER + 20:], []
    step = len(data) // pieces // 8 * 8  # fragments begin at multiples of 8 bytes
    for i in range(pieces):
        is_last = i == pieces - 1
        part = data[i * step:None if is_last else (i + 1) * step]
        ip = bytearray(head[peer.HEADER:])
        ip[2:4] = struct.pack("!H", 20 + len(part))
        ip[6:8] = struct.pack("!H", i * step // 8 | (0 if is_last else _MORE_FRAGMENTS))
        ip[10:12] = bytes(2)
        ip[10:12] = struct.pack("!H", checksum(bytes(ip)))
        made.append(head[:peer.HEADER] + bytes(ip) + part)
    return made


def payload(data):
    """Of a frame."""
    return data[_HEADERS:]
