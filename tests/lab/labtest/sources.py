# SPDX-License-Identifier: BSD-3-Clause
"""The program tx_sources (tx_sources.cpp), which sends frames out of any kind of memory."""

from labtest import lab, tap
from labtest.process import Process

FRAMES = 40  # of each kind
_START = 60  # seconds
_HEADER = 14  # bytes


def _content(number, length):
    return bytes((number * 31 + i * 7) & 0xff for i in range(length))


class TxSources(Process):
    """Started, on the first test NIC."""

    def __init__(self, in_memory=True):
        super().__init__([lab.TX_SOURCES, "-l", "0-1", "--no-pci", *lab.plugins(),
                          *lab.allow(lab.NICS[0]), *(["--in-memory"] if in_memory else [])])
        self._read = self.wait_for(r"(?m)^(done|failed.*)$", _START).end()
        self.note_start()

    def answer(self, pattern, limit=60):
        """The match of what the last command has answered."""
        found = self.wait_for(rf"(?m)^{pattern}\ndone$", limit, self._read)
        self._read = found.end()
        return found

    def ask(self, command, pattern):
        self.send(command + "\n")
        return self.answer(pattern)

    def check_frames(self, peer, kind, expected=FRAMES):
        """Sends frames out of memory of a kind; the peer compares every byte."""
        peer.drain()
        self.ask(f"send {kind} {FRAMES}", r"sent \d+")
        frames = peer.receive(expected or 1, quiet=2.0 if expected else 0.5)
        tap.equal(len(frames), expected, f"frames out of memory of kind {kind}")
        wrong = [i for i, frame in enumerate(frames)
                 if frame[_HEADER:] != _content(i, len(frame) - _HEADER) or len(frame) != 600]
        tap.equal(wrong, [], f"changed frames out of memory of kind {kind}")

    def arena(self, node, mebibytes):
        """An arena on a node until "drop": (address, bytes)."""
        words = self.ask(f"arena {node} {mebibytes}", r"((?:at|errno) .*)")[1].split()
        tap.equal(words[0], "at", "what the program answers")
        return int(words[1], 16), int(words[2])

    def quit(self):
        self.send("quit\n")
        return self.wait(30)
