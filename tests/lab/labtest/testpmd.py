# SPDX-License-Identifier: BSD-3-Clause
"""dpdk-testpmd, interactive."""

import re
import time

from labtest import lab
from labtest.process import Process, Timeout, settled

PROGRAM = "dpdk-testpmd"
# Another thread of testpmd tells events, in the middle of the prompt too.
EVENT = r"(?:\nPort \d+: [\w ]+ event\n)?"
PROMPT = EVENT.join("testpmd> ")
START = 60  # seconds until the first prompt, in software emulation

# Small pools: the kernel zeroes every page at start.
OPTIONS = ["-i", "--total-num-mbufs=4096", "--nb-cores=1"]


def command_line(eal, options):
    return [PROGRAM, *eal, "--", *options]


class Testpmd(Process):
    """With the EAL arguments of lab.eal(). prefix: a program that starts it, with arguments. defaults:
    the options before those that are given."""

    def __init__(self, eal=None, options=(), prefix=(), defaults=tuple(OPTIONS), **rest):
        arguments = lab.eal() if eal is None else eal
        super().__init__([*prefix, *command_line(arguments, [*defaults, *options])], **rest)

    def start(self):
        """Waits for the first prompt."""
        self.wait_for(PROMPT, START)
        self.note_start()
        return self

    def wait_for_links(self, ports=2, limit=10):
        """Waits for the end of autonegotiation, on the peer's side too."""
        deadline = time.monotonic() + limit
        while any(self.info(port)["Link status"] != "up" for port in range(ports)):
            if time.monotonic() > deadline:
                raise Timeout(f"no link after {limit} seconds")
            time.sleep(0.05)
        return self

    def commands(self, *texts):
        for text in texts:
            self.command(text)
        return self

    def command(self, text, timeout=30):
        """What testpmd answers to a command."""
        start = len(self.output)
        self.send(text + "\n")
        end = self.wait_for(r"\n" + PROMPT, timeout, start)
        return self.output[start:end.start() + 1].partition("\n")[2]

    def quit(self, timeout=30):
        """Ends it as a user does; the exit status."""
        self.send("quit\n")
        return self.wait(timeout)

    def stats(self, port):
        """The counters of `show port stats`: {"RX-packets": ...}."""
        return counters(self.command(f"show port stats {port}"))

    def packets(self):
        """Seconds of our clock, and the packets received and sent so far, of all ports together."""
        text = self.command("show port stats all")
        now = time.monotonic()
        return now, *(sum(int(number) for number in re.findall(rf"{way}-packets:\s*(\d+)", text))
                      for way in ("RX", "TX"))

    def settled(self, port, name, wanted):
        """A counter of `show port stats`, as process.settled() has it."""
        return settled(lambda: self.stats(port)[name], wanted)

    def xstats(self, port):
        found = re.findall(r"^([a-z]\w*): (\d+)$", self.command(f"show port xstats {port}"), re.M)
        return {name: int(value) for name, value in found}

    def info(self, port):
        """`show port info`: {"MAC address": ...}."""
        found = re.findall(r"^([A-Z][^:\n]*): (.+)$", self.command(f"show port info {port}"), re.M)
        return dict(found)

    def mac(self, port):
        return self.info(port)["MAC address"].lower()

    def stop(self):
        """Ends forwarding: {port: {"RX-packets": ...}} of the run."""
        text = self.command("stop")
        parts = re.split(r"Forward statistics for port (\d+) ", text)
        return {int(port): counters(body.partition("------\n  ---")[0].partition("+++")[0])
                for port, body in zip(parts[1::2], parts[2::2])}

    def clear(self):
        self.command("clear port stats all")


def counters(text):
    return {name: int(value) for name, value in re.findall(r"([RT]X-[\w-]+):\s*(\d+)", text)}
