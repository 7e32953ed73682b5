#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer --timeout 240
"""Flow rules: testpmd's are taken, listed, destroyed and refused on the device. That frames go to
their queues is seen here of RSS alone, for QEMU's 82576 steers by none of the other filters; the unit
tests show those on the device model."""

from labtest import lab, tap, udp
from labtest.peer import Peer
from labtest.process import Shared, settled
from labtest.testpmd import Testpmd

ETHERTYPE = "ingress pattern eth type is 0x88b5 / end actions queue index 1 / end"
TUPLE = ("priority 7 ingress pattern eth / ipv4 proto is 17 / udp dst is 80 / end "
         "actions queue index 1 / end")
SYN = "ingress pattern eth / ipv4 / tcp flags spec 2 flags mask 2 / end actions queue index 1 / end"
RSS = "ingress pattern end actions rss types ipv4 end queues 1 end / end"

# A rule, and what testpmd is told of it.
REFUSED = [
    ("ingress pattern eth type is 0x88b5 / end actions queue index 2 / end",
     "names an Rx queue that the port has not"),
    ("ingress pattern eth type is 0x0800 / end actions queue index 1 / end", "is for IPv4 or IPv6"),
    ("ingress pattern eth type is 0x88b5 / end actions drop / end", "drop none"),
    ("egress pattern eth type is 0x88b5 / end actions queue index 1 / end", "no filters for frames"),
    ("ingress pattern eth / ipv4 / udp dst is 80 / end actions queue index 1 / end",
     "an IP item without fields"),
]

_testpmd = Shared(lambda: Testpmd(options=["--rxq=2", "--txq=2"]).start().wait_for_links())


def testpmd():
    return _testpmd().commands("flow flush 0", "set fwd rxonly", "start")


@tap.test("flow rules are validated, created, listed, refused the second time, and destroyed")
def rules():
    program = testpmd()
    for number, rule in enumerate((ETHERTYPE, TUPLE, SYN, RSS)):
        tap.contains(program.command(f"flow validate 0 {rule}"), "Flow rule validated", rule)
        tap.contains(program.command(f"flow create 0 {rule}"), f"Flow rule #{number} created", rule)
        tap.contains(program.command(f"flow create 0 {rule}"), "Caught PMD error", f"again: {rule}")
    listed = program.command("flow list 0")
    for words in ("ETH => QUEUE", "ETH IPV4 UDP => QUEUE", "ETH IPV4 TCP => QUEUE", "=> RSS"):
        tap.contains(listed, words, "flow list")
    tap.contains(program.command("flow destroy 0 rule 1"), "Flow rule #1 destroyed", "destroy")
    tap.check("UDP" not in program.command("flow list 0"), "rule 1 is listed still")
    tap.contains(program.command(f"flow create 0 {TUPLE}"), "created", "rule 1 again")


@tap.test("what the device cannot do is refused with a sentence")
def refused():
    program = testpmd()
    for rule, why in REFUSED:
        output = program.command(f"flow create 0 {rule}")
        tap.contains(output, "Caught PMD error", rule)
        tap.contains(output, why, rule)


@tap.test("an RSS rule gives frames to its queues, and the port's own RSS is back without it")
def rss():
    with Peer() as peer:
        program = testpmd()
        frames = [udp.frame((peer.mac, program.mac(0)), ("10.0.0.1", f"10.0.1.{i}"), bytes(18))
                  for i in range(64)]

        def shares():
            """Frames that each queue got, of those that are sent."""
            program.command("clear port xstats all")
            for frame in frames:
                peer.send(frame)
            names = [f"rx_q{queue}_packets" for queue in (0, 1)]
            settled(lambda: sum(program.xstats(0)[name] for name in names), len(frames))
            return [program.xstats(0)[name] for name in names]

        before = shares()
        tap.check(min(before) > 0, f"without a rule all went to one queue: {before}")
        program.command(f"flow create 0 {RSS}")
        tap.equal(shares(), [0, len(frames)], "frames per queue with the rule")
        program.command("flow destroy 0 rule 0")
        tap.equal(shares(), before, "frames per queue without it")


@tap.test("testpmd ends cleanly")
def end():
    tap.equal(testpmd().quit(), 0, "exit status of testpmd")


tap.main()
