#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer --extra-device e1000e,netdev=hub --extra-device e1000,netdev=hub --extra-device virtio-net-pci,netdev=hub,disable-legacy=on --extra-device vmxnet3,netdev=hub --timeout 420
"""Stock drivers over iommufd: every kind of memory, hotplug, several processes, and what the
library refuses rather than guess."""

import os
import signal

from labtest import lab, memory, process, stock, storm, tap
from labtest.peer import Peer
from labtest.testpmd import Testpmd
from labtest.trace import PagemapOpens

NIC, OTHER = lab.NICS


def exchange(port, own, frames=60):
    """Frames that come back whole, all of them."""
    sent = [port.frame(own, 60 + 24 * i % 1400) for i in range(frames)]
    back = port.exchange(sent, frames)
    tap.equal(sum(a == b for a, b in zip(sent, back)), frames, "frames that came back whole")


def loop(program, port, number=0):
    """One port in io mode sends back what it gets."""
    program.commands("set fwd io", f"set portlist {number}", "start")
    exchange(port, program.mac(number))
    program.command("stop")


def quiet_start(*devices, **rest):
    return stock.testpmd(*devices, **rest).start().wait_for_links(len(devices)).commands(
        "set promisc all off")


def told(program, *devices):
    """Telemetry names these devices, and as much pinned memory as the kernel counts."""
    tap.equal(stock.told("devices"), [f"{device} {lab.cdev_of(device)}" for device in devices],
              "devices in telemetry")
    info = stock.told("info")
    tap.equal(info["devices"], len(devices), "number of devices in telemetry")
    tap.equal(info["pinned_bytes"] + info["single_pages"] * memory.PAGE,
              memory.pinned(stock.child_of(program)), "pinned bytes in telemetry")
    tap.equal(info["areas"] > 0, bool(devices), "whether telemetry has areas")
    return info


def forwards_with(*eal, options=(), external=False):
    with Peer() as port, PagemapOpens() as opens:
        program = quiet_start(NIC, eal=eal, options=options)
        loop(program, port)
        tap.equal(told(program, NIC)["external_ranges"] > 0, external,
                  "whether telemetry has ranges of rte_dev_dma_map")
        tap.equal(program.quit(), 0, "exit status")
        tap.equal(opens.by(), [], "threads that opened pagemap")
    tap.equal(lab.holders(lab.cdev_of(NIC)), set(), "processes that hold the device")


@tap.test("--legacy-mem -m 64")
def legacy():
    free = lab.hugepages_free()
    forwards_with("--legacy-mem", "-m", "64")
    stock.clean_up()
    tap.equal(lab.hugepages_free(), free, "free hugepages afterwards")


@tap.test("--in-memory --single-file-segments, and external anonymous memory")
def single_file():
    forwards_with("--in-memory", "--single-file-segments", options=["--mp-alloc=anon"],
                  external=True)


@tap.test("an external heap of hugepages")
def external():
    forwards_with("--in-memory", options=["--mp-alloc=xmemhuge"])


def with_queues(program, count):
    """So many queues each way. net_e1000_igb takes 64 KiB for a ring of any size, and as much again
    for what belongs to 4096 transmit descriptors."""
    program.commands("port stop 0", f"port config all rxq {count}", f"port config all txq {count}",
                     "port config all rxd 128", "port config all txd 4096", "port start 0")
    program.wait_for_links(1)


@tap.test("--in-memory: memory that EAL takes and gives back while it runs follows into the address "
          "space")
def dynamic():
    free = lab.hugepages_free()
    with Peer() as port, PagemapOpens() as opens:
        program = quiet_start(NIC, eal=["--in-memory"])
        child = stock.child_of(program)
        loop(program, port)
        told(program, NIC)
        before = memory.pinned(child)
        with_queues(program, 16)
        taken = memory.pinned(child)
        tap.check(taken > before, f"{taken} bytes are pinned, {before} before: none were taken")
        loop(program, port)
        told(program, NIC)
        with_queues(program, 1)
        tap.check(memory.pinned(child) < taken, f"{taken} bytes are pinned still")
        loop(program, port)
        told(program, NIC)
        tap.equal(opens.by(), [], "threads that opened pagemap")
    pages = memory.hugepages_of(child)
    tap.equal(memory.pinned(child), len(pages) * memory.HUGEPAGE, "pinned bytes")
    tap.equal(memory.move_to_other_node(child, pages), len(pages), "hugepages that stay")
    tap.equal(program.quit(), 0, "exit status")
    tap.equal(lab.hugepages_free(), free, "free hugepages afterwards")


@tap.test("hotplug: detach gives the device back at once, attach takes it again")
def hotplug():
    with Peer() as port:
        program = quiet_start(NIC, OTHER)
        loop(program, port)
        told(program, NIC, OTHER)
        program.commands("port stop 1", "port detach 1")
        told(program, NIC)
        tap.equal(lab.holders(lab.cdev_of(OTHER)), set(), "who has the second cdev")
        loop(program, port)
        program.commands("port stop 0", "port detach 0")
        tap.equal(lab.holders(lab.cdev_of(NIC)), set(), "who has the first cdev")
        tap.equal(memory.pinned(stock.child_of(program)), 0, "bytes pinned without a device")
        told(program)
        tap.contains(program.command(f"port attach {OTHER}"), "is attached", "testpmd")
        program.commands("port start all")
        program.wait_for_links(1).commands("set promisc all off")
        loop(program, port)
        tap.equal(program.quit(), 0, "exit status")


@tap.test("memory that moved while no device held it: the device is refused")
def moved():
    program = quiet_start(NIC)
    child = stock.child_of(program)
    program.commands("port stop 0", "port detach 0")
    pages = memory.hugepages_of(child)
    before = storm.frames(child, pages)
    memory.move_to_other_node(child, pages)
    tap.check(storm.frames(child, pages) != before, "no page has moved")
    output = program.command(f"port attach {NIC}")
    tap.contains(output, "it has moved while no device held it", "testpmd")
    tap.equal(lab.holders(lab.cdev_of(NIC)), set(), "who has the cdev")
    program.quit()


@tap.test("two applications on two NICs")
def two_applications():
    with Peer() as port:
        first = stock.testpmd(NIC, eal=["--file-prefix=a"]).start()
        second = stock.testpmd(OTHER, eal=["--file-prefix=b"]).start()
        for program in (first, second):
            program.wait_for_links(1).commands("set promisc all off")
        for program in (first, second):
            loop(program, port)
        refused = stock.testpmd(NIC, eal=["--file-prefix=c"])
        refused.start()
        cause = "another process, or another bus of this one, has bound the device"
        said = [line for line in refused.output.splitlines() if "iommufd: " in line]
        tap.check(len(said) == 2 and all(cause in line for line in said),
                  f"not the cause first and last:\n{refused.output}")
        for misleading in ("Expecting 'PA'", "Cannot use IOVA as 'PA'"):
            tap.check(misleading not in refused.output, f"DPDK speaks:\n{refused.output}")
        tap.equal(refused.quit(), 0, "exit status of the one that has no device")
        for program in (first, second):
            tap.equal(program.quit(), 0, "exit status")


@tap.test("secondary processes: dpdk-proc-info reads the NIC, dpdk-pdump comes and goes")
def secondary():
    with Peer() as port, PagemapOpens() as opens:
        # Forwarding goes on meanwhile: dpdk-pdump adds a port of its own to the primary too.
        program = quiet_start(NIC).commands("set fwd io", "start")
        own = program.mac(0)
        exchange(port, own)
        status, output = process.run([*stock.run(NIC), "dpdk-proc-info", *stock.allow(NIC), "--",
                                      "-p", "1", "--stats"])
        tap.equal(status, 0, f"exit status of dpdk-proc-info:\n{output}")
        tap.contains(output, "RX-packets: 60 ", "dpdk-proc-info, which maps the NIC's registers,")
        exchange(port, own)
        pdump = process.Process([*stock.run(NIC), "dpdk-pdump", "-l", "0", *stock.allow(NIC), "--",
                                 "--pdump", "port=0,queue=0,rx-dev=/dev/null"])
        pdump.wait_for("- port 0 device", 60)
        exchange(port, own)
        os.kill(pdump.pid, signal.SIGINT)
        tap.equal(pdump.wait(30), 0, "exit status of dpdk-pdump")
        exchange(port, own)
        program.command("stop")
        tap.equal(program.quit(), 0, "exit status")
        tap.equal(opens.by(), [], "threads that opened pagemap")


@tap.test("IOVA mode VA: the device is refused with the reason, and nobody holds it")
def va_mode():
    program = stock.testpmd(NIC, eal=["--iova-mode=va", "--in-memory"]).start()
    tap.contains(program.output, "No probed ethernet devices", "testpmd")
    tap.contains(program.output, "DPDK runs in IOVA mode VA, and without an IOMMU a device needs "
                 "physical addresses: leave --iova-mode=va out", "testpmd")
    tap.check("Expecting 'PA'" not in program.output, f"DPDK speaks first:\n{program.output}")
    tap.equal(lab.holders(lab.cdev_of(NIC)), set(), "who has the cdev")
    tap.equal(program.quit(), 0, "exit status")


@tap.test("beside the iommufd bus in one process: each has its device, and only that")
def coexistence():
    program = Testpmd(
        ["-l", "0-1", *lab.plugins(), "--iova-mode=pa", *lab.allow(NIC), *stock.allow(OTHER),
         *lab.POOL_OPS], prefix=["env", f"LD_PRELOAD={lab.LIBRARY}"]).start()
    program.wait_for_links(2)
    drivers = {program.info(port)["Driver name"] for port in (0, 1)}
    tap.equal(drivers, {"net_iommufd_igb", "net_e1000_igb"}, "drivers")
    with Peer() as port:
        program.commands("set promisc all off", "set fwd mac", f"set eth-peer 1 {port.mac}",
                         "start")
        own = program.mac(0)
        sent = [port.frame(own, 60 + i) for i in range(100)]
        for frame in sent:
            port.send(frame)
        back = port.receive(100)
        program.command("stop")
        tap.equal([frame[12:] for frame in back], [frame[12:] for frame in sent], "frames")
    tap.equal(program.quit(), 0, "exit status")


@tap.test("both named for one device: the plugin has it, the stock driver leaves it")
def both_named():
    program = Testpmd(
        ["-l", "0-1", *lab.plugins(), "--iova-mode=pa", *lab.allow(NIC), *stock.allow(NIC, OTHER),
         *lab.POOL_OPS], prefix=["env", f"LD_PRELOAD={lab.LIBRARY}"]).start()
    tap.contains(program.output, "left to the iommufd bus", "testpmd")
    tap.equal(program.quit(), 0, "exit status")
    stock.clean_up()


tap.main()
