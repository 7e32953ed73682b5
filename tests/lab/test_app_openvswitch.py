#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer --timeout 240
"""Open vSwitch under dpdk-iommufd-run: an ordinary user's daemon with --detach and a netdev bridge of
two NICs. Each port has a pool of its own, which is soon made; test_app_openvswitch_mtu.py has the
default one, test_app_openvswitch_restart.py what comes after, and the plugins."""

from labtest import openvswitch, tap
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


@tap.test("stopped", limit=120)
def stopped():
    openvswitch.stop()


@tap.test("the end")
def end():
    openvswitch.end()


tap.main()
