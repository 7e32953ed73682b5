# SPDX-License-Identifier: BSD-3-Clause
"""Frames through two ports of testpmd and back, every byte compared."""

import threading
import time

from labtest import tap

PAUSE = 0.005  # seconds between the frames of a flow, which testpmd can follow in emulation
BATCH = 128  # frames in flight, well below the descriptors of a queue


def prepare(peer, program):
    """Port 0 receives, port 1 sends to the peer."""
    program.wait_for_links().commands("set promisc all off", "set allmulti all off", "set fwd mac",
                                      f"set eth-peer 1 {peer.mac}", "start")
    peer.drain()
    return program.mac(0)


def round_trip(peer, own, count=256):
    """Sends frames of many lengths; the number that came back, after comparing each."""
    sent = [peer.frame(own, 60 + i * 37 % 1455) for i in range(count)]
    back = peer.exchange(sent, BATCH)
    tap.equal(len(back), count, "frames that came back")
    wrong = [i for i, (a, b) in enumerate(zip(back, sent)) if a[12:] != b[12:]]
    tap.equal(wrong, [], "frames that were changed on their way")
    return len(back)


class Flow:
    """Frames that the peer sends all the while the block runs, whatever becomes of them. sent: how
    many they are so far."""

    def __init__(self, peer, own):
        self.peer = peer
        self.own = own
        self.sent = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()

    def _run(self):
        while not self._end.is_set():
            self.peer.send(self.peer.frame(self.own, 600))
            self.sent += 1
            time.sleep(PAUSE)


def check(peer, program, count=256):
    """The same from a fresh prompt to a stopped port."""
    round_trip(peer, prepare(peer, program), count)
    program.command("stop")
