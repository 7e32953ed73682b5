#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer --extra-device e1000e,netdev=hub --extra-device e1000,netdev=hub --extra-device virtio-net-pci,netdev=hub,disable-legacy=on --extra-device vmxnet3,netdev=hub --timeout 420
"""DPDK's own drivers over iommufd, under dpdk-iommufd-run as uid 1000: the kernel-driven peer
gets back every byte, nobody opens pagemap, and nothing is left afterwards."""

import os

from labtest import lab, memory, peer, privileges, process, stock, storm, tap, traffic
from labtest.peer import MAX_FRAME, MIN_FRAME, Peer
from labtest.testpmd import Testpmd
from labtest.trace import PagemapOpens

OURS = "10.77.0.1"
SIZES = list(range(MIN_FRAME, MAX_FRAME + 1, 17)) + [MAX_FRAME]
ROUNDS = 1  # of the storm; one takes seconds in emulation


def loop(program, port):
    """One port in io mode sends back what it gets."""
    program.commands("set fwd io", "start")
    frames = [port.frame(program.mac(0), length) for length in SIZES]
    back = port.exchange(frames, 64)
    program.command("stop")
    tap.equal(len(back), len(frames), "frames that came back")
    for there, here in zip(frames, back):
        tap.check(there == here, f"a frame of {len(there)} bytes came back changed")


def echo(program):
    program.commands("set fwd icmpecho", "start")
    with peer.address(lab.PEER, OURS + "/24"):
        for size in (0, 18, 511, 1472):
            status, output = stock.ping(3, "-M", "do", "-s", str(size), "-p", "a55a")
            tap.equal(status, 0, f"status of ping -s {size}:\n{output}")
            tap.check("wrong data" not in output, output)
    program.command("stop")


def one_driver(name):
    with stock.bound() as devices, PagemapOpens() as opens:
        tap.check(name in devices, f"this machine has no device of {name}")
        device = devices[name]
        program = stock.testpmd(device).start()
        if "82540EM" not in name:  # whose stock driver never says that the link is up, in QEMU
            program.wait_for_links(1)
        child = stock.child_of(program)
        stock.check_privileges(child)
        tap.check(memory.pinned(child) >= 16 << 20, f"{memory.pinned(child)} bytes are pinned")
        tap.equal(lab.holders(lab.cdev_of(device)), {stock.child_of(program)}, "who has the cdev")
        with Peer() as port:
            loop(program, port)
        echo(program)
        tap.equal(program.quit(), 0, "exit status")
        tap.equal(opens.by(), [], "threads that opened pagemap")
        tap.equal(lab.holders(lab.cdev_of(device)), set(), "processes that hold the device")


for driver in ("net_e1000_igb", "net_e1000_em (e1000e)", "net_e1000_em (82540EM)", "net_virtio",
               "net_vmxnet3"):
    tap.test(f"{driver}: io and icmpecho as uid 1000, byte for byte, no pagemap")(
        lambda name=driver: one_driver(name))


@tap.test("negative control: the stock way opens pagemap, and as uid 1000 finds no device")
def stock_way():
    with PagemapOpens() as opens:
        program = stock.stock_testpmd(lab.NICS[0]).start()
        tap.equal(program.quit(), 0, "exit status of stock testpmd as root")
        tap.check(opens.count() > 10, f"{opens.count()} opens of pagemap")
    nodes = ["/dev/iommu", "/dev/hugepages", lab.cdev_of(lab.NICS[0]), lab.group_of(lab.NICS[0])]
    with privileges.owned(*nodes):
        program = Testpmd(["-l", "0-1", "-a", lab.NICS[0], "--in-memory"],
                          prefix=privileges.user("sys_rawio", "ipc_lock"))
        # 22.11 goes on without a device, 24.11 does not start.
        program.wait_for("No probed ethernet devices|physical addresses are not available", 60)
    stock.clean_up()


def forward(program, port, frames=150):
    """Through two ports in mac mode: those that came back whole, of how many."""
    program.commands("set fwd mac", f"set eth-peer 1 {port.mac}", "start")
    own, sender = program.mac(0), program.mac(1)
    sent = [port.frame(own, 60 + 9 * i % 1400) for i in range(frames)]
    back = port.exchange(sent, 32)
    program.command("stop")
    head = peer.mac_bytes(port.mac) + peer.mac_bytes(sender)
    return sum(a[12:] == b[12:] and a[:12] == head for a, b in zip(back, sent))


@tap.test("two drivers in one process: payloads stay whole through a migration storm", limit=180)
def two_drivers():
    with stock.bound() as devices, Peer() as port:
        program = stock.testpmd(devices["net_e1000_igb"], devices["net_virtio"]).start()
        program.wait_for_links(2).commands("set promisc all off")
        child = stock.child_of(program)
        memory.forget_references(child)
        tap.equal(forward(program, port), 150, "whole frames before")
        tap.equal(memory.referenced_code(child, "librte_iommufd_preload.so"), 0,
                  "bytes of the library's code that have run for them")
        for library in ("librte_net_e1000.so", "librte_net_virtio.so"):
            tap.check(memory.referenced_code(child, library) > 0,
                      f"{library} has not run either: this shows nothing")
        with storm.Storm(child, ROUNDS) as gale:
            while gale.blows():
                tap.equal(forward(program, port), 150, "whole frames in the storm")
        tap.equal(gale.rounds, ROUNDS, "rounds of the storm under traffic")
        tap.equal(forward(program, port), 150, "whole frames after it")
        tap.equal((gale.moved, gale.wandered()), (0, 0), "hugepages that it has moved")
        tap.equal(program.quit(), 0, "exit status")


@tap.test("negative control: the stock way loses every frame once its memory has moved under "
          "traffic", limit=180)
def stock_storm():
    with Peer() as port:
        # On one node, so that a migration to the other one moves all of it.
        program = Testpmd(["--lcores", "0@0,1@0", *stock.allow(*lab.NICS)]).start()
        program.wait_for_links(2).commands("set promisc all off")
        tap.equal(forward(program, port), 150, "whole frames before")
        program.command("start")
        with traffic.Flow(port, program.mac(0)) as flow:
            moved, pages = storm.migrate(program.pid, 0)
        program.command("stop")
        tap.check(flow.sent > 0, "no frame was sent meanwhile")
        tap.check(moved > 0, "no hugepage has moved: nothing is shown")
        if moved < pages:
            raise tap.Skip(f"the kernel could move {moved} of {pages} hugepages of the stock way")
        port.drain()
        tap.equal(forward(program, port, 20), 0, "frames of 20 that came back whole")
        program.kill()
    stock.clean_up()


@tap.test("kill -9: nothing is left, and the next start works")
def killed():
    device = lab.NICS[0]
    program = stock.testpmd(device).start()
    os.kill(stock.child_of(program), 9)
    tap.equal(program.wait(30), -9, "exit status")
    tap.check(not os.path.exists("/run/dpdk-iommufd"), "/run/dpdk-iommufd is left behind")
    program = stock.testpmd(device).start()
    program.wait_for_links(1)
    with Peer() as port:
        loop(program, port)
    tap.equal(program.quit(), 0, "exit status of the next one")
    stock.clean_up()


tap.main()
