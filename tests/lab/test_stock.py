#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer --extra-device e1000e,netdev=hub --extra-device e1000,netdev=hub --extra-device virtio-net-pci,netdev=hub,disable-legacy=on --extra-device vmxnet3,netdev=hub --timeout 420
"""DPDK's own drivers over iommufd, under dpdk-iommufd-run as uid 1000: the kernel-driven peer
gets back every byte, nobody opens pagemap, and nothing is left afterwards."""

import time

from labtest import lab, memory, peer, privileges, stock, tap
from labtest.peer import MAX_FRAME, MIN_FRAME, Peer
from labtest.trace import PagemapOpens

OURS = "10.77.0.1"
SIZES = list(range(MIN_FRAME, MAX_FRAME + 1, 17)) + [MAX_FRAME]


def exchange(port, frames, batch=64):
    back = []
    for at in range(0, len(frames), batch):
        for frame in frames[at:at + batch]:
            port.send(frame)
        back += port.receive(len(frames[at:at + batch]))
    return back


def loop(program, port):
    """One port in io mode sends back what it gets."""
    program.commands("set fwd io", "start")
    frames = [port.frame(program.mac(0), length) for length in SIZES]
    back = exchange(port, frames)
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


def check_privileges(program):
    child = stock.child_of(program)
    for name, expected in (("CapEff", "0" * 16), ("CapPrm", "0" * 16), ("CapBnd", "0" * 16),
                           ("CapAmb", "0" * 16), ("CapInh", "0" * 16),
                           ("Uid", "\t".join(["1000"] * 4))):
        tap.equal(memory.status(child, name), expected, name)
    tap.check(memory.pinned(child) >= 16 << 20, f"{memory.pinned(child)} bytes are pinned")
    for path in ("/dev/iommu", "/dev/hugepages", *(lab.cdev_of(nic) for nic in lab.NICS)):
        tap.equal(stock.os.stat(path).st_uid, 0, f"owner of {path}")


def one_driver(name):
    with stock.bound() as devices, PagemapOpens() as opens:
        if name not in devices:
            raise tap.Skip(f"this machine has no device of {name}")
        device = devices[name]
        program = stock.testpmd(device).start()
        if "82540EM" not in name:  # whose stock driver never says that the link is up, in QEMU
            program.wait_for_links(1)
        check_privileges(program)
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
        program = stock.Testpmd(["-l", "0-1", "-a", lab.NICS[0], "--in-memory"],
                                prefix=privileges.user("sys_rawio", "ipc_lock"))
        # 22.11 goes on without a device, 24.11 does not start.
        program.wait_for("No probed ethernet devices|physical addresses are not available", 60)
    stock.clean_up()


def forward(program, port, frames=150):
    """Through two ports in mac mode: those that came back whole, of how many."""
    program.commands("set fwd mac", f"set eth-peer 1 {port.mac}", "start")
    own, sender = program.mac(0), program.mac(1)
    sent = [port.frame(own, 60 + 9 * i % 1400) for i in range(frames)]
    back = exchange(port, sent, 32)
    program.command("stop")
    head = peer.mac_bytes(port.mac) + peer.mac_bytes(sender)
    return sum(a[12:] == b[12:] and a[:12] == head for a, b in zip(back, sent))


def storm(pid, rounds=3):
    for target in [1, 0] * rounds:
        stock.process.run(["migratepages", pid, 1 - target, target], timeout=30)


@tap.test("two drivers in one process: payloads stay whole through a migration storm")
def two_drivers():
    with stock.bound() as devices, Peer() as port:
        program = stock.testpmd(devices["net_e1000_igb"], devices["net_virtio"]).start()
        program.wait_for_links(2).commands("set promisc all off")
        child = stock.child_of(program)
        pages = memory.hugepages_of(child)
        before = [memory.physical(child, page)[0] for page in pages]
        memory.forget_references(child)
        tap.equal(forward(program, port), 150, "whole frames before")
        tap.equal(memory.referenced_code(child, "librte_iommufd_preload.so"), 0,
                  "bytes of the library's code that have run for them")
        for library in ("librte_net_e1000.so", "librte_net_virtio.so"):
            tap.check(memory.referenced_code(child, library) > 0,
                      f"{library} has not run either: this shows nothing")
        for _ in range(3):
            storm(child, 1)
            tap.equal(forward(program, port), 150, "whole frames in the storm")
        tap.equal([memory.physical(child, page)[0] for page in pages], before,
                  "physical addresses of the hugepages")
        tap.equal(program.quit(), 0, "exit status")


@tap.test("negative control: the stock way loses every frame after the same storm")
def stock_storm():
    with Peer() as port:
        program = stock.stock_testpmd(*lab.NICS).start()
        program.wait_for_links(2).commands("set promisc all off")
        tap.equal(forward(program, port), 150, "whole frames before")
        source = memory.nodes_of(program.pid, memory.hugepages_of(program.pid)[:1])[0]
        stock.process.run(["migratepages", program.pid, source, 1 - source], timeout=30)
        whole = forward(program, port, 20)
        tap.note(f"{whole} of 20 frames came back whole")
        tap.check(whole < 20, "the stock way has survived: this test shows nothing")
        program.kill()
    time.sleep(0.5)
    stock.clean_up()


@tap.test("kill -9: nothing is left, and the next start works")
def killed():
    device = lab.NICS[0]
    program = stock.testpmd(device).start()
    stock.os.kill(stock.child_of(program), 9)
    tap.equal(program.wait(30), -9, "exit status")
    tap.check(not stock.os.path.exists("/run/dpdk-iommufd"), "/run/dpdk-iommufd is left behind")
    program = stock.testpmd(device).start()
    program.wait_for_links(1)
    with Peer() as port:
        loop(program, port)
    tap.equal(program.quit(), 0, "exit status of the next one")
    stock.clean_up()


tap.main()
