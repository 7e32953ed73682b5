#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --qemu trixie --nics 1 --peer --timeout 180
"""Virtual functions: the kernel's igb drives the physical one, DPDK's net_e1000_igb_vf a virtual
one over iommufd; the plugins, which have no driver for it, leave it alone and say so.

QEMU 10.0.2, which Debian 12 has, passes no access to a virtual function's registers on. 10.0.6 and
10.1.2 have "pcie_sriov: Fix broken MMIO accesses from SR-IOV VFs" among their changes, and Debian
13's is newer."""

import contextlib
import mmap
import os
import struct

from labtest import lab, memory, peer, process, stock, tap, testpmd
from labtest.peer import MAX_FRAME, MIN_FRAME, Peer
from labtest.trace import PagemapOpens

PF = lab.NICS[0]
SIZES = list(range(MIN_FRAME, MAX_FRAME + 1, 17)) + [MAX_FRAME]
_FOLDER = f"/sys/bus/pci/devices/{PF}"


@contextlib.contextmanager
def virtual_function():
    """One for a while, bound to vfio-pci."""
    with lab.bound(PF, "igb"):
        name = os.listdir(f"{_FOLDER}/net")[0]
        lab.write(f"{_FOLDER}/sriov_numvfs", "1")
        process.run(["ip", "link", "set", name, "up"])
        peer.wait_for_link(name)
        vf = os.path.basename(os.readlink(f"{_FOLDER}/virtfn0"))
        check_registers(vf)
        lab.bind(vf, "vfio-pci")
        try:
            yield vf
        finally:
            # igb takes the virtual function along, and waits for who holds it.
            process.kill_all()


def check_registers(vf):
    folder = f"/sys/bus/pci/devices/{vf}"
    lab.write(f"{folder}/enable", "1")
    with open(f"{folder}/resource0", "r+b") as file:
        with mmap.mmap(file.fileno(), mmap.PAGESIZE) as registers:
            status = struct.unpack_from("<I", registers, 8)[0]
    lab.write(f"{folder}/enable", "0")
    tap.check(status not in (0, 0xFFFFFFFF), f"STATUS of the virtual function is {status:#x}: this "
              "QEMU passes no access to its registers on")


def forward(program, port):
    program.commands("set fwd macswap", "start")
    own = peer.mac_bytes(program.mac(0))
    frames = [port.frame(program.mac(0), length) for length in SIZES]
    for frame in frames:
        port.send(frame)
    back = port.receive(len(frames))
    program.command("stop")
    tap.equal(len(back), len(frames), "frames that came back")
    for there, here in zip(frames, back):
        tap.check(here == peer.mac_bytes(port.mac) + own + there[12:],
                  f"a frame of {len(there)} bytes came back changed")


_VF = []
_until_the_end = contextlib.ExitStack()


def function_of_all_tests():
    if not _VF:
        _VF.append(_until_the_end.enter_context(virtual_function()))
    return _VF[0]


@tap.test("dpdk-iommufd-run takes a virtual function; the plugins say that none drives it")
def plugins():
    vf = function_of_all_tests()
    status, output = process.run([lab.RUN, "--dry-run", "--user", "1000", "--device", vf, "--",
                                  "dpdk-testpmd"])
    tap.equal(status, 0, f"status of --dry-run:\n{output}")
    tap.contains(output, lab.cdev_of(vf), "dpdk-iommufd-run --dry-run")
    program = testpmd.Testpmd(["-l", "0-1", "--in-memory", *lab.plugins(), "--no-pci",
                               *lab.allow(vf)])
    program.wait_for(f"iommufd:{vf}: no driver for device 8086:10ca on this bus", 30)
    tap.equal(lab.holders(lab.cdev_of(vf)), set(), "who has the cdev")


@tap.test("net_e1000_igb_vf: byte for byte as uid 1000, no pagemap, no page moves")
def stock_driver():
    vf = function_of_all_tests()
    with Peer() as port, PagemapOpens() as opens:
        program = stock.testpmd(vf).start()
        child = stock.child_of(program)
        tap.equal(program.info(0)["Driver name"], "net_e1000_igb_vf", "driver")
        tap.equal(lab.holders(lab.cdev_of(vf)), {child}, "who has the cdev")
        forward(program, port)
        pages = memory.hugepages_of(child)
        tap.equal(memory.move_to_other_node(child, pages), len(pages), "hugepages that stay")
        forward(program, port)
        tap.equal(opens.by(), [], "threads that opened pagemap")
        tap.equal(program.quit(), 0, "exit status")


@tap.test("the virtual function goes")
def gone():
    vf = function_of_all_tests()
    _until_the_end.close()
    tap.check(not os.path.exists(f"/sys/bus/pci/devices/{vf}"), f"{vf} is still there")


tap.main()
