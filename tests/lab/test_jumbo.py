#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer --debug-memory --timeout 240
"""Jumbo frames: the peer, whose MTU is 9000, sends them, testpmd receives each in several buffers and
sends the chain on, and every byte of what comes back is compared."""

import random
import re

from labtest import lab, tap
from labtest import peer as peers
from labtest.peer import Peer
from labtest.process import Shared, settled
from labtest.testpmd import Testpmd

MTU = 9000
LONGEST = MTU + peers.HEADER
BUFFER = 2048  # bytes of an mbuf, as testpmd makes them
BATCH = 32  # frames in flight, of five descriptors each
OVERHEAD = 22  # bytes of a frame beyond its MTU, as the driver counts it: header, tag and CRC

_testpmd = Shared(lambda: Testpmd(options=[
    f"--max-pkt-len={MTU + OVERHEAD}", "--enable-scatter", "--tx-offloads=0x8000",
    "--total-num-mbufs=8192"]).start().wait_for_links())


def testpmd(peer):
    """One for all tests, from port 0 to the peer by port 1."""
    program = _testpmd().commands("stop", "set promisc all off", "set fwd mac",
                                  f"set eth-peer 1 {peer.mac}", "start").wait_for_links()
    peer.drain()
    return program


def through(peer, sent, wanted=None):
    """Every byte of what came back of the frames that are wanted, all of them if it is None."""
    wanted = sent if wanted is None else wanted
    back = peer.exchange(sent, BATCH)
    tap.equal(len(back), len(wanted), "frames that came back")
    wrong = [len(b) for a, b in zip(back, wanted) if peers.body(a) != peers.body(b)]
    tap.equal(wrong, [], "lengths of frames that were changed on their way")


@tap.test("frames up to MTU 9000 come in several buffers and go whole, at and beside their edges")
def jumbo():
    with Peer() as peer, peers.mtu(lab.PEER, MTU):
        program = testpmd(peer)
        info = program.command("show rxq info 0 0")
        tap.contains(info, "RX scattered packets: on", "show rxq info")
        tap.contains(info, "Scalar, scattered", "show rxq info")
        own = program.mac(0)
        edges = [buffers * BUFFER + by for buffers in (1, 2, 3, 4) for by in (-1, 0, 1, 5)]
        sizes = [*edges, LONGEST, LONGEST - 1, 60, 1514,
                 *(random.randint(60, LONGEST) for _ in range(200))]
        frames = [peer.frame(own, size) for size in sizes]
        through(peer, frames)
        program.command("stop")
        segments = [-(-len(frame) // BUFFER) for frame in frames]
        tap.note(f"{len(frames)} frames, {sum(segments)} buffers, {max(segments)} for the longest")


@tap.test("the MTU of a running port says what it takes")
def mtu():
    with Peer() as peer, peers.mtu(lab.PEER, MTU):
        program = testpmd(peer)
        own = program.mac(0)
        program.commands("port config mtu 0 4000", "clear port stats all")
        frames = [peer.frame(own, size) for size in (LONGEST, 4000, 4000 + peers.HEADER, 5000)]
        through(peer, frames, frames[1:3])
        tap.equal(program.stats(0)["RX-packets"], 2, "frames that were received")
        program.command(f"port config mtu 0 {MTU}")
        through(peer, frames)


@tap.test("it ends in order")
def end():
    tap.equal(_testpmd().quit(), 0, "exit status of testpmd")


@tap.test("buffers that are too small for the MTU are chained, with a notice")
def small_buffers():
    program = Testpmd(options=["--mbuf-size=1280", "--tx-offloads=0x8000"]).start()
    program.wait_for_links()
    tap.check(re.search(r"frames of up to 1522 bytes come in several Rx buffers, of which the "
                        r"smallest has 1024", program.output), program.output)
    with Peer() as peer:
        program.commands("set promisc all off", "set fwd mac", f"set eth-peer 1 {peer.mac}",
                         "start").wait_for_links()
        peer.drain()
        frames = [peer.frame(program.mac(0), size) for size in (1514, 1024, 1025, 60)]
        through(peer, frames)
        tap.equal(settled(lambda: program.stats(1)["TX-packets"], len(frames)), len(frames),
                  "frames that were sent")
    tap.equal(program.quit(), 0, "exit status of testpmd")


tap.main()
