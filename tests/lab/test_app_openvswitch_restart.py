#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --apps --nics 2 --peer --timeout 420
"""Open vSwitch under dpdk-iommufd-run: what comes after its first start (test_app_openvswitch.py), and
the plugins in the place of stock drivers."""

import os
import signal

from labtest import lab, openvswitch, tap
from labtest.openvswitch import PORTS
from labtest.peer import Peer


@tap.test("started with --detach", limit=120)
def started():
    openvswitch.make_database("other_config:per-port-memory=true")
    openvswitch.start()
    with Peer() as port:
        openvswitch.forwards(port)


@tap.test("stopped and started again", limit=120)
def again():
    openvswitch.stop()
    openvswitch.start()
    with Peer() as port:
        openvswitch.forwards(port)


@tap.test("kill -9, and started again", limit=120)
def killed():
    pid = openvswitch.pid_of()
    os.kill(pid, signal.SIGKILL)
    openvswitch.ended(pid)
    openvswitch.start()
    with Peer() as port:
        openvswitch.forwards(port)
    openvswitch.stop()


@tap.test("the plugins: ports by class=eth,mac=, our driver, pages that stay", limit=120)
def plugins():
    if not openvswitch.ROOT:
        raise tap.Skip("the plugins of this build are for another DPDK")
    extra = [*lab.plugins(), "--no-pci", *lab.allow(*lab.NICS), *lab.POOL_OPS]
    openvswitch.vsctl("--no-wait", "set", "Open_vSwitch", ".",
                      f"other_config:dpdk-extra=\"{' '.join(extra)}\"")
    openvswitch.set_ports("options:dpdk-devargs=\"class=eth,mac=52:54:00:00:00:0%d\"")
    pid = openvswitch.start()
    openvswitch.check_process(pid)
    for port in PORTS:
        tap.contains(openvswitch.vsctl("get", "Interface", port, "status:driver_name"),
                     "net_iommufd_igb", f"driver of {port}")
    openvswitch.forwards_in_storm(pid, 1)
    openvswitch.stop()


@tap.test("the end")
def end():
    openvswitch.end()


tap.main()
