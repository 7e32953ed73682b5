#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer --debug-memory --timeout 180
"""Frames through testpmd, checked byte for byte by the kernel-driven peer, and counted.

All NICs are on one hub, so what one sends reaches the two others. A frame goes one way only
if the test ports are not promiscuous and its destination is the port that is to have it:

    mac, two ports   peer -> port 0 -> port 1 -> peer: the addresses are rewritten
    io, one port     peer -> port 0 -> peer: unchanged, and the sender does not get it back
    io, two ports    peer -> port 0 -> port 1 -> port 0 and peer: round and round until stopped
"""

import random
import time

from labtest import lab, tap
from labtest import peer as peers
from labtest.peer import MAX_FRAME, MAX_VLAN_FRAME, MIN_FRAME, Peer, is_tagged
from labtest.process import Shared, settled
from labtest.testpmd import Testpmd

BATCH = 128  # frames in flight, well below the 512 descriptors of a queue
CHECK_SEQUENCE = 4  # bytes that the kernel counts with each frame
ERRORS = ("RX-missed", "RX-errors", "RX-nombuf", "TX-errors")

_testpmd = Shared(lambda: Testpmd().start().wait_for_links())


def testpmd():
    """One for all tests: two ports with a link, which accept their own address only."""
    return _testpmd().commands("set promisc all off", "set allmulti all off", "clear port stats all")


def sizes():
    """Every length; above 1514 bytes a frame must have a VLAN tag."""
    return [(length, None) for length in range(MIN_FRAME, MAX_FRAME + 1)] + [
        (length, 5) for length in range(MAX_FRAME + 1, MAX_VLAN_FRAME + 1)]


def exchange(peer, frames):
    """Sends in batches; what came back, in order."""
    return peer.exchange(frames, BATCH) + peer.receive(quiet=0.3)  # and nothing else


def differ(frame, original):
    """Where and how two frames differ, for the message."""
    at = next((i for i, (a, b) in enumerate(zip(frame, original)) if a != b),
              min(len(frame), len(original)))
    return (f"a frame of {len(original)} bytes came back as {len(frame)}; from byte {at} on it is "
            f"{frame[at:at + 32].hex()}, expected {original[at:at + 32].hex()}")


def compare(back, sent, seen_as=lambda frame: frame):
    """Every byte of every frame, and the order, which the peer's queues keep for frames with a
    VLAN tag and for those without."""
    tap.equal(len(back), len(sent), "frames that came back")
    for tagged in (False, True):
        ours = [frame for frame in sent if is_tagged(frame) == tagged]
        theirs = [frame for frame in back if is_tagged(frame) == tagged]
        tap.equal(len(theirs), len(ours), f"frames {'with' if tagged else 'without'} a VLAN tag")
        for frame, original in zip(theirs, map(seen_as, ours)):
            tap.check(frame == original, differ(frame, original))


def check_counters(program, received, sent, frames):
    """Of the NIC: all frames in at one port and out at another, or the same."""
    octets = sum(map(len, frames))
    for port in {received, sent}:
        stats = program.stats(port)
        expected = {"RX-packets": len(frames) * (port == received),
                    "RX-bytes": octets * (port == received),
                    "TX-packets": len(frames) * (port == sent),
                    "TX-bytes": octets * (port == sent), **dict.fromkeys(ERRORS, 0)}
        tap.equal({name: stats[name] for name in expected}, expected, f"counters of port {port}")


def through(peer, program, received, sent):
    """All sizes through two ports in mac mode."""
    program.commands("set fwd mac", f"set eth-peer {sent} {peer.mac}", "clear port stats all")
    source, sender = program.mac(received), program.mac(sent)
    frames = [peer.frame(source, length, vlan=vlan) for length, vlan in sizes()]
    random.shuffle(frames)
    program.command("start")
    before = peer.counter("rx_packets")
    back = exchange(peer, frames)
    arrived = settled(lambda: peer.counter("rx_packets") - before, len(frames))
    forwarded = program.stop()
    compare(back, frames, lambda frame: peers.mac_bytes(peer.mac) + peers.mac_bytes(sender) +
            peers.body(frame))
    check_counters(program, received, sent, frames)
    tap.equal(forwarded[received]["RX-packets"], len(frames), "testpmd's count of received")
    tap.equal(forwarded[sent]["TX-packets"], len(frames), "testpmd's count of sent")
    tap.equal([forwarded[port][name] for port in (0, 1) for name in ("RX-dropped", "TX-dropped")],
              [0] * 4, "frames testpmd has dropped")
    tap.equal(arrived, len(frames), "frames the peer's kernel has counted")


@tap.test("every frame size from 60 to 1518 bytes, port 0 to port 1, every byte")
def zero_to_one():
    with Peer() as peer:
        through(peer, testpmd(), 0, 1)


@tap.test("the same from port 1 to port 0")
def one_to_zero():
    with Peer() as peer:
        through(peer, testpmd(), 1, 0)


@tap.test("negative control: what is not sent to a port does not come back")
def other_address():
    with Peer() as peer:
        program = testpmd().commands("set fwd mac", f"set eth-peer 1 {peer.mac}", "start")
        for _ in range(20):
            peer.send(peer.frame("02:00:00:00:00:77", 100))
        back = peer.receive(quiet=0.5)
        program.command("stop")
        compare(back, [])
        check_counters(program, 0, 1, [])


@tap.test("io on one port: frames come back unchanged, addresses included")
def io_loop():
    with Peer() as peer:
        program = testpmd().commands("set fwd io", "set portlist 0", "start")
        own = program.mac(0)
        frames = [peer.frame(own, length, vlan=vlan) for length, vlan in sizes()[::7]]
        back = exchange(peer, frames)
        program.commands("stop", "set portlist 0,1")
        compare(back, frames)
        check_counters(program, 0, 0, frames)


@tap.test("io between two ports: frames go round unharmed, and the counts of all match")
def io_round():
    with Peer() as peer:
        program = testpmd().commands("set fwd io", "start")
        own = program.mac(0)
        frames = {peer.frame(own, random.randint(MIN_FRAME, MAX_FRAME))
                  for _ in range(32)}
        for frame in frames:
            peer.send(frame)
        # Those that are sent first go round while the peer still sends the others.
        copies = []
        while (len(copies) < 2000 or set(copies) != frames) and len(copies) < 50000:
            more = peer.receive(500)
            if not more:
                break
            copies += more
        time.sleep(0.2)
        forwarded = program.stop()
        compare([copy for copy in copies if copy not in frames], [])
        tap.equal(set(copies), frames, "different frames that came by")
        time.sleep(0.2)
        inner, outer = program.stats(0), program.stats(1)
        rounds = outer["TX-packets"]
        tap.note(f"{rounds} frames forwarded in io mode")
        tap.check(rounds >= 2000, f"{rounds} frames forwarded")
        tap.equal(inner["RX-packets"], rounds + len(frames), "in at port 0: the peer's, port 1's")
        tap.equal(inner["TX-packets"], 0, "out at port 0")
        tap.equal(outer["RX-packets"], 0, "in at port 1")
        tap.equal(forwarded[1]["TX-packets"], rounds, "testpmd's count of sent")
        tap.equal(forwarded[1]["TX-dropped"], 0, "frames testpmd has dropped")
        tap.equal({name: inner[name] + outer[name] for name in ERRORS}, dict.fromkeys(ERRORS, 0),
                  "errors")


@tap.test("sending alone and receiving alone: counts match at both ends")
def one_way():
    with Peer() as peer:
        program = testpmd().commands("set fwd rxonly", "set portlist 1", "set txpkts 200",
                                     f"set eth-peer 1 {peer.mac}")
        peer.wait_until_quiet()  # what went round in the last test
        before = peer.counter("rx_packets"), peer.counter("rx_bytes")
        expected = before[0] + 96, before[1] + 96 * (200 + CHECK_SEQUENCE)
        program.command("start tx_first 3")  # bursts of 32
        gained = settled(lambda: (peer.counter("rx_packets"), peer.counter("rx_bytes")), expected)
        program.command("stop")
        tap.equal(gained, expected, "frames and bytes at the peer")
        stats = program.stats(1)
        tap.equal((stats["TX-packets"], stats["TX-bytes"]), (96, 96 * 200), "sent by the NIC")

        program.commands("set portlist 0", "clear port stats all", "start")
        own = program.mac(0)
        frames = [peer.frame(own, 60 + i) for i in range(300)]
        for frame in frames:
            peer.send(frame)
        program.settled(0, "RX-packets", len(frames))
        program.commands("stop", "set portlist 0,1")
        stats = program.stats(0)
        tap.equal((stats["RX-packets"], stats["RX-bytes"]), (300, sum(map(len, frames))),
                  "frames and bytes that the NIC has received")


@tap.test("it ends in order")
def end():
    tap.equal(testpmd().quit(), 0, "exit status of testpmd")
    tap.equal({nic: lab.holders(lab.cdev_of(nic)) for nic in lab.NICS},
              {nic: set() for nic in lab.NICS}, "processes that hold the devices")


tap.main()
