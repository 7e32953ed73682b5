#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer --timeout 240
"""What the device does to frames on their way out: checksums, VLAN tags, TCP segmentation. The
peer sends, testpmd's csum engine asks for the offloads, and this file takes apart what comes
back."""

import random
import struct

from labtest import peer as peers
from labtest import tap
from labtest.peer import Peer
from labtest.process import Shared
from labtest.testpmd import Testpmd

TCP, UDP = 6, 17
IPV4 = 0x0800
IPV6 = 0x86DD
WRONG = 0x1BAD

_testpmd = Shared(lambda: Testpmd(options=["--tx-offloads=0x803e"]).start().wait_for_links())


def testpmd(peer, *commands):
    """One for all tests, from port 0 to the peer by port 1."""
    program = _testpmd().commands("stop", "set promisc all off", f"set eth-peer 1 {peer.mac}",
                                  *commands, "start").wait_for_links()
    peer.drain()
    return program


def csum(*more):
    """What testpmd is told so that the device makes all checksums."""
    return ["set fwd csum", "port stop 1",
            *(f"csum set {what} hw 1" for what in ("ip", "udp", "tcp")), *more, "port start 1"]


def total(data):
    if len(data) % 2:
        data += b"\0"
    result = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while result >> 16:
        result = (result & 0xFFFF) + (result >> 16)
    return result


def l4(kind, data):
    """A header with a wrong checksum, and what follows it."""
    if kind == UDP:
        return struct.pack("!HHHH", 4000, 5000, 8 + len(data), WRONG) + data
    return struct.pack("!HHIIBBHHH", 4000, 5000, 1000, 0, 5 << 4, 0x18, 8192, WRONG, 0) + data


def ipv4(peer, destination, kind, data, checksum=WRONG):
    data = l4(kind, data)
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(data), 7, 0, 64, kind, checksum,
                       bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]))
    return (peers.mac_bytes(destination) + peers.mac_bytes(peer.mac) + b"\x08\x00" + head + data)


def ipv6(peer, destination, kind, data):
    data = l4(kind, data)
    head = struct.pack("!IHBB16s16s", 6 << 28, len(data), kind, 64, bytes(range(16)),
                       bytes(range(16, 32)))
    return (peers.mac_bytes(destination) + peers.mac_bytes(peer.mac) + b"\x86\xdd" + head + data)


def bad_sums(frame):
    """Which checksums of a frame are wrong."""
    bad = []
    if peers.type_of(frame) == IPV4:
        head, data = frame[14:34], frame[34:14 + struct.unpack("!H", frame[16:18])[0]]
        kind, addresses = head[9], head[12:20]
        if total(head) != 0xFFFF:
            bad.append("IPv4")
    else:
        head, data = frame[14:54], frame[54:54 + struct.unpack("!H", frame[18:20])[0]]
        kind, addresses = head[6], head[8:40]
    if total(addresses + struct.pack("!HH", kind, len(data)) + data) != 0xFFFF:
        bad.append("L4")
    return bad


def payload(frame):
    """Of TCP or UDP over IPv4, without what fills a short frame."""
    return frame[54 if frame[23] == TCP else 42:14 + struct.unpack("!H", frame[16:18])[0]]


def through(peer, frames, ethertype=IPV4, count=None):
    for frame in frames:
        peer.send(frame)
    return peer.receive(count or len(frames), ethertype=ethertype)


@tap.test("IPv4, TCP and UDP checksums are made by the device, of IPv6 too")
def checksums():
    with Peer() as peer:
        program = testpmd(peer, *csum())
        own = program.mac(0)
        sent = [ipv4(peer, own, kind, random.randbytes(size)) for kind in (TCP, UDP)
                for size in (18, 19, 700, 1400)]
        tap.equal(bad_sums(sent[0]), ["IPv4", "L4"], "what is wrong with a frame that is sent")
        back = through(peer, sent)
        tap.equal(len(back), len(sent), "frames that came back")
        tap.equal([bad_sums(frame) for frame in back], [[]] * len(back), "wrong checksums")
        tap.equal([payload(frame) for frame in back], [payload(frame) for frame in sent],
                  "payloads")
        sent = [ipv6(peer, own, kind, random.randbytes(99)) for kind in (TCP, UDP)]
        back = through(peer, sent, IPV6)
        tap.equal([bad_sums(frame) for frame in back], [[], []], "wrong checksums of IPv6")


@tap.test("negative control: nobody asks for checksums, and they stay wrong")
def no_checksums():
    with Peer() as peer:
        program = testpmd(peer, "set fwd mac")
        back = through(peer, [ipv4(peer, program.mac(0), TCP, b"x" * 100)])
        tap.equal([bad_sums(frame) for frame in back], [["IPv4", "L4"]], "wrong checksums")


@tap.test("a large TCP packet leaves as segments of the size that was asked for")
def segmentation():
    with Peer() as peer:
        program = testpmd(peer, *csum("tso set 300 1"))
        peer.leave_segments()
        data = random.randbytes(1400)
        back = through(peer, [ipv4(peer, program.mac(0), TCP, data)], count=5)
        tap.equal([len(frame) - 54 for frame in back], [300, 300, 300, 300, 200], "segments")
        tap.equal([bad_sums(frame) for frame in back], [[]] * 5, "wrong checksums")
        tap.equal([struct.unpack("!I", frame[38:42])[0] for frame in back],
                  [1000 + 300 * i for i in range(5)], "sequence numbers")
        tap.equal(b"".join(map(payload, back)), data, "payload")
        program.commands("stop", "port stop 1", "tso set 0 1", "port start 1")


@tap.test("packets in several segments, with checksums")
def chains():
    with Peer() as peer:
        program = testpmd(peer, *csum(), "set txpkts 64,64,64", "set txsplit on")
        sent = [ipv4(peer, program.mac(0), TCP, random.randbytes(size)) for size in (200, 500, 900)]
        back = through(peer, sent)
        tap.equal(list(map(payload, back)), list(map(payload, sent)), "payloads")
        tap.equal([bad_sums(frame) for frame in back], [[]] * 3, "wrong checksums")
        program.commands("stop", "set txsplit off", "set txpkts 64")


@tap.test("VLAN tags are inserted, and others than before once they change")
def vlan():
    with Peer() as peer:
        program = testpmd(peer, "set fwd mac", "port stop 1", "tx_vlan set 1 77", "port start 1")
        frames = [peer.frame(program.mac(0), 100) for _ in range(3)]
        back = through(peer, frames, peers.ETHERTYPE)
        tap.equal([struct.unpack("!HH", frame[12:16]) for frame in back], [(peers.VLAN, 77)] * 3,
                  "tags")
        tap.equal([frame[16:] for frame in back], [frame[12:] for frame in frames], "the rest")
        program.commands("stop", "port stop 1", "tx_vlan reset 1", "port start 1")


@tap.test("it ends in order")
def end():
    tap.equal(_testpmd().quit(), 0, "exit status of testpmd")


tap.main()
