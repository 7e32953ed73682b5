#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer --timeout 420
"""Open vSwitch under dpdk-iommufd-run: an ordinary user's daemon with --detach and a netdev bridge of
two NICs, with stock drivers and with the plugins. Each port has a pool of its own, which is soon made;
test_app_openvswitch_mtu.py has the default one."""

import os
import signal

from labtest import lab, openvswitch, tap
from labtest.openvswitch import PORTS
from labtest.peer import Peer


@tap.test("started with --detach: no capability but the tap's, and all its memory pinned", limit=120)
def started():
    openvswitch.make_database("other_config:per-port-memory=true")
    pid = openvswitch.start()
    openvswitch.check_process(pid)
    with Peer() as port:
        openvswitch.forwards(port)


@tap.test("page migration and compaction while it forwards: nothing moves, every frame is whole")
def migration():
    openvswitch.forwards_in_storm(openvswitch.pid_of(), 1)


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
