#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer --extra-device e1000e,netdev=hub --extra-device e1000,netdev=hub --extra-device virtio-net-pci,netdev=hub,disable-legacy=on --extra-device vmxnet3,netdev=hub
"""Which devices the library binds under dpdk-iommufd-run: what -a, -b and --device said at start,
for the life of the process."""

import contextlib
import os
import threading
import time

from labtest import lab, memory, process, stock, tap

NIC, OTHER = lab.NICS
PROGRAM = os.path.join(lab.BUILD, "tests/lab/hotplug")


class Application(process.Process):
    """tests/lab/hotplug.cpp: attaches, detaches, takes memory when told."""

    def __init__(self, *eal, devices=()):
        super().__init__([*stock.run(*devices), PROGRAM, "-l", "0", "--in-memory", *eal])

    def mode(self):
        return self.wait_for(r"\bmode (\w+)", 60)[1]

    def does(self, command):
        """What it answers."""
        start = len(self.output)
        self.send(command + "\n")
        return self.wait_for(rf"^{command.split()[0]} (ok|failed: .*)$".replace("^", r"(?m)^"), 60,
                             start)[1]

    def end(self):
        self.send("quit\n")
        return self.wait(30)


def held():
    """Which NICs any process has open."""
    return [nic for nic in lab.NICS if lab.holders(lab.cdev_of(nic))]


@contextlib.contextmanager
def watched():
    """Which NICs any process had open during the block."""
    seen, end = set(), threading.Event()

    def watch():
        while not end.is_set():
            seen.update(held())

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        end.set()
        thread.join()


def nobody_else(*eal, devices=()):
    """The only device of the application goes, and its heap grows as ever: no other is bound, and
    its own for a moment only."""
    program = Application(*eal, devices=devices)
    tap.equal(program.mode(), "PA", "IOVA mode")
    tap.equal(held(), [NIC], "who is held")
    tap.equal(program.does(f"detach {NIC}"), "ok", "detach")
    tap.equal(held(), [], "who is held after detach")
    with watched() as seen:
        tap.equal(program.does("take 64"), "ok", "memory without a device")
        tap.equal(process.settled(held, []), [], "who is held after a moment")
    tap.equal(seen, {NIC}, "who was held meanwhile: if nobody, nothing was asked")
    tap.equal(program.does(f"attach {NIC}"), "ok", "attach again")
    tap.equal(held(), [NIC], "who is held then")
    tap.equal(program.end(), 0, "exit status")


@tap.test("-a: the only allowed device is detached, and no question binds another")
def allowed():
    nobody_else("-a", NIC)


@tap.test("-b: the same")
def blocked():
    nobody_else("-b", OTHER)


@tap.test("--device: the same, though -a and -b say nothing")
def given():
    nobody_else(devices=[NIC])


@tap.test("no device at start, attached later: IOVA mode PA, and no other than --device names")
def later():
    program = Application("-a", "0000:00:00.0", devices=[OTHER])
    tap.equal(program.mode(), "PA", "IOVA mode")
    tap.equal(held(), [OTHER], "who is held for addresses")
    tap.equal(program.does("take 16"), "ok", "memory")
    tap.check(program.does(f"attach {NIC}") != "ok", "the other device was attached")
    tap.contains(program.output, "left alone: dpdk-iommufd-run --device has named others",
                 "the application")
    tap.equal(held(), [OTHER], "who is held then")
    tap.equal(program.does(f"attach {OTHER}"), "ok", "attach")
    tap.equal(program.end(), 0, "exit status")


def plug_out_and_in(nic):
    """As a hot-unplug and a hot-plug do. Its node has another number then, and is root's."""
    lab.write(f"/sys/bus/pci/devices/{nic}/remove", "1")
    tap.check(not os.path.exists(f"/sys/bus/pci/devices/{nic}"), f"{nic} is there still")
    lab.write("/sys/bus/pci/rescan", "1")
    lab.bind(nic, "vfio-pci")


@tap.test("detached, unplugged, plugged in and attached again, without a chown")
def replugged():
    program = Application(devices=[NIC, OTHER])
    program.mode()
    tap.equal(program.does(f"detach {NIC}"), "ok", "detach")
    plug_out_and_in(NIC)
    tap.equal(os.stat(lab.cdev_of(NIC)).st_uid, 0, "owner of the new node")
    tap.equal(program.does(f"attach {NIC}"), "ok", "attach")
    tap.equal(set(held()), {NIC, OTHER}, "who is held")
    tap.equal(program.end(), 0, "exit status")


@tap.test("a pool of anonymous memory: told by telemetry, and unpinned when it is freed")
def anonymous():
    program = Application(devices=[NIC])
    program.mode()
    begin = time.monotonic()
    tap.equal(program.does("pool 4096"), "ok", "pool")
    tap.note(f"a pool of 8 MiB in pages of 4 KiB took {time.monotonic() - begin:.2f} s")
    pages = stock.told("info")["single_pages"]
    tap.check(pages >= 2048, f"{pages} single pages are pinned")
    tap.check(any(line.endswith("for=virt2phy") for line in stock.told("pinned")),
              f"telemetry: {stock.told('pinned')}")
    tap.equal(program.does("drop"), "ok", "end of the pool")
    tap.equal(stock.told("info")["single_pages"], 0, "single pages that are pinned")
    told = stock.told("info")["pinned_bytes"]
    tap.equal(memory.pinned(program.pid), told, "bytes pinned in all")
    tap.equal(program.end(), 0, "exit status")


@tap.test("negative control: without --device and -a the application has both")
def both():
    program = Application()
    tap.equal(program.mode(), "PA", "IOVA mode")
    tap.equal(held(), [NIC, OTHER], "who is held")
    tap.equal(program.end(), 0, "exit status")


@tap.test("a container of the application's own: refused with the reason")
def container():
    program = Application(devices=[NIC])
    program.mode()
    tap.equal(program.does("container"), "failed: no container", "rte_vfio_container_create()")
    tap.contains(program.output, "without an IOMMU all devices of a process share one address space",
                 "the application")
    tap.equal(program.end(), 0, "exit status")


tap.main()
