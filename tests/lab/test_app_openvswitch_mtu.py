#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --apps --nics 2 --peer --timeout 400
"""Open vSwitch under dpdk-iommufd-run with its default memory settings, a pool for all ports that takes
the emulated machine long to make. Where it does not fit Open vSwitch asks for half as many mbufs, again
and again, and each time what was taken before is there. MTU 9000."""

import re

from labtest import lab, openvswitch, peer, tap
from labtest.openvswitch import PORTS, TO

JUMBO = 9000


def pools():
    """[(mbufs, whether there was room)] that it has asked for since its start."""
    return [(int(failed or made), bool(made)) for failed, made in re.findall(
        r"Failed to create mempool \S+ with a request of (\d+)|Allocated \S+ mempool with (\d+)",
        openvswitch.log())]


@tap.test("the default pool: half of what it asks for first fits", limit=180)
def started():
    openvswitch.make_database()
    pid = openvswitch.start()
    tap.equal(pools(), [(262144, False), (131072, True)], "pools")
    openvswitch.check_process(pid)
    openvswitch.forwards_in_storm(pid, 1)


@tap.test("an MTU of 9000, set while it runs: frames of 9014 bytes are whole", limit=180)
def jumbo():
    pid, before = openvswitch.pid_of(), len(pools())
    openvswitch.set_ports(f"mtu_request={JUMBO}")
    for port in PORTS:
        openvswitch.vsctl("wait-until", "Interface", port, f"mtu={JUMBO}")
    openvswitch.wait_for_links()
    tap.equal([there for _, there in pools()[before:]][-1], True, "whether there is a pool")
    with peer.mtu(lab.PEER, JUMBO), peer.Peer() as port:
        sent = [port.frame(TO, length) for length in (60, 1514, 4000, JUMBO, JUMBO + peer.HEADER)]
        for frame in sent:
            port.send(frame)
        back = port.receive(len(sent), quiet=2.0)
        tap.equal(list(map(len, back)), list(map(len, sent)), "lengths that came back")
        tap.check([a[12:] for a in back] == [b[12:] for b in sent], "frames were changed")
    openvswitch.check_process(pid)
    openvswitch.stop()


@tap.test("the end")
def end():
    openvswitch.end()


tap.main()
