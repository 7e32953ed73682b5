# SPDX-License-Identifier: BSD-3-Clause
"""Frames through two ports of testpmd and back, every byte compared."""

from labtest import tap

BATCH = 128  # frames in flight, well below the descriptors of a queue


def prepare(peer, program):
    """Port 0 receives, port 1 sends to the peer."""
    program.wait_for_links().commands("set promisc all off", "set allmulti all off", "set fwd mac",
                                      f"set eth-peer 1 {peer.mac}", "start")
    peer.drain()
    return program.mac(0)


def round_trip(peer, own, count=256):
    """Sends frames of many lengths; the number that came back, after comparing each."""
    returned = 0
    for at in range(0, count, BATCH):
        batch = [peer.frame(own, 60 + (at + i) * 37 % 1455)
                 for i in range(min(BATCH, count - at))]
        for frame in batch:
            peer.send(frame)
        back = peer.receive(len(batch), quiet=2.0)
        tap.equal(len(back), len(batch), "frames that came back")
        wrong = [i for i, (a, b) in enumerate(zip(back, batch)) if a[12:] != b[12:]]
        tap.equal(wrong, [], "frames that were changed on their way")
        returned += len(back)
    return returned


def check(peer, program, count=256):
    """The same from a fresh prompt to a stopped port."""
    round_trip(peer, prepare(peer, program), count)
    program.command("stop")
