#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer --timeout 240
"""What is wrong with the machine or the command line is said in a sentence, with what to do
about it; testpmd ends or goes on as DPDK has it, and nothing stays behind. (A kernel without
GET_PA is faked in the unit tests: the real one has it.)"""

import contextlib
import os
import re

from labtest import lab, memory, privileges, tap
from labtest.process import Ended
from labtest.testpmd import START, Testpmd

NIC = lab.NICS[0]
NOIOMMU = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"


def start_and_end(program):
    """Whether testpmd reached its prompt; it has ended then too."""
    try:
        program.wait_for("testpmd> ", START)
    except Ended:
        return False
    program.send("quit\n")
    return True


def check_nothing_left():
    lab.clean_up()
    for nic in lab.NICS:
        if lab.cdev_of(nic):
            tap.equal(lab.holders(lab.cdev_of(nic)) - {os.getpid()}, set(),
                      f"processes that hold {nic}")


def refused(*messages, eal=None, may_start=False, **rest):
    """Starts testpmd on one NIC in vain; it must say all of the messages. may_start: DPDK
    goes on without the device, or without its queues."""
    free = lab.hugepages_free()
    program = Testpmd(lab.eal(NIC) if eal is None else eal, **rest)
    started = start_and_end(program)
    status = program.wait(30)
    for message in messages:
        tap.contains(program.output, message, "testpmd")
    tap.check(started == may_start, f"prompt: {started}\n{program.output}")
    tap.check(status >= 0, f"testpmd died of signal {-status}\n{program.output}")
    tap.check(started or status != 0, "testpmd ended as if nothing had been wrong")
    check_nothing_left()
    tap.equal(lab.hugepages_free(), free, "free hugepages")
    return program.output


@tap.test("no /dev/iommu")
def no_iommufd():
    with lab.hidden("/dev/iommu"):
        refused("open of /dev/iommu", "No such file or directory", "CONFIG_IOMMUFD")


@tap.test("vfio's no-IOMMU mode is off")
def mode_off():
    lab.bind(NIC, None)
    try:
        with lab.parameter(NOIOMMU, "N"):
            with contextlib.suppress(OSError):  # vfio-pci refuses the device with EINVAL
                lab.bind(NIC, "vfio-pci")
            refused(f"iommufd:{NIC} cannot be used", "enable_unsafe_noiommu_mode=1")
    finally:
        lab.bind(NIC, "vfio-pci")


@tap.test("the device has another kernel driver")
def other_driver():
    with lab.bound(NIC, "igb"):
        refused(f"iommufd:{NIC} cannot be used: the kernel driver 'igb' holds it",
                f"dpdk-devbind.py --bind=vfio-pci {NIC}")


@tap.test("the device has no kernel driver")
def no_driver():
    with lab.bound(NIC, None):
        refused(f"iommufd:{NIC} cannot be used: no kernel driver holds it",
                f"dpdk-devbind.py --bind=vfio-pci {NIC}")


@tap.test("there is no such device, or no such address")
def absent():
    refused("iommufd:0000:77:00.0 cannot be used: there is no PCI device 0000:77:00.0",
            eal=lab.eal("0000:77:00.0"))
    refused("failed to parse device \"iommufd:nonsense\"", eal=lab.eal("nonsense"))


@tap.test("the vfio group is open in another process")
def group_open():
    group = os.open(lab.group_of(NIC), os.O_RDWR)
    try:
        refused(lab.cdev_of(NIC), "the vfio group of the device is open", "--no-pci")
    finally:
        os.close(group)


@tap.test("another process has the device")
def taken():
    first = Testpmd(lab.eal(NIC, extra=["--in-memory"])).start()
    program = Testpmd(lab.eal(NIC, extra=["--in-memory"]))
    tap.check(not start_and_end(program), "two processes have the same device")
    tap.check(program.wait(30) > 0, "exit status")
    tap.contains(program.output, "another process", "the second testpmd")
    tap.equal(first.quit(), 0, "exit status of the first")
    check_nothing_left()


@tap.test("DPDK's PCI bus takes the device")
def pci_bus():
    program = Testpmd(lab.eal(NIC, no_pci=False))
    start_and_end(program)
    tap.check(program.wait(30) >= 0, "testpmd crashed")
    tap.contains(program.output, "add --no-pci", "testpmd")
    check_nothing_left()


@tap.test("no CAP_SYS_RAWIO, as root")
def no_rawio():
    refused("CAP_SYS_RAWIO", prefix=privileges.root_without("sys_rawio"))


@tap.test("RLIMIT_MEMLOCK is too small")
def memlock():
    refused("RLIMIT_MEMLOCK, which is 16 MiB where 48 MiB are needed", "CAP_IPC_LOCK",
            eal=lab.eal(NIC, extra=["-m", "48"]), prefix=privileges.root_without("ipc_lock"),
            preexec=privileges.memlock(16 << 20))


@tap.test("an unknown device argument")
def devarg():
    refused("unknown argument 'speeed'; known to net_iommufd_igb: ",
            eal=lab.eal(NIC + ",speeed=10"))


@tap.test("no driver for the device")
def no_pmd():
    refused("no driver for device 8086:10c9", "load one with -d", may_start=True,
            eal=["-l", "0-1", *lab.plugins(lab.BUS, lab.MEMPOOL), "--no-pci", *lab.allow(NIC)])


@tap.test("a plugin that was built for another DPDK stays out")
def other_dpdk():
    output = refused("was built for DPDK", "stays out", may_start=True,
                     eal=["-l", "0-1", *lab.plugins(lab.BUS_OF_OTHER_DPDK), "--no-pci"])
    built, running = re.search(r"built for DPDK (\d+\.\d+) .*?DPDK (\d+\.\d+)", output).groups()
    tap.check(built != running, f"both are {running}")


@tap.test("port attach of devices that cannot be had takes nothing from a running testpmd")
def attach():
    program = Testpmd(lab.eal(NIC)).start()

    def possessions():
        return (sorted(os.readlink(f"/proc/{program.pid}/fd/{number}")
                       for number in os.listdir(f"/proc/{program.pid}/fd")),
                memory.pinned(program.pid), memory.status(program.pid, "Threads"))

    def fails(device):
        output = program.command(f"port attach iommufd:{device}")
        tap.check("is attached" not in output, output)
        tap.equal(possessions(), before, f"possessions after attaching {device}")
        return output

    before, other = possessions(), lab.NICS[1]
    fails("0000:77:00.0")
    tap.contains(fails(other + ",speeed=10"), "unknown argument 'speeed'", "testpmd")
    with lab.bound(other, "igb"):
        fails(other)
    group = os.open(lab.group_of(other), os.O_RDWR)
    tap.contains(fails(other), "the vfio group of the device is open", "testpmd")
    os.close(group)
    tap.contains(program.command(f"port attach iommufd:{other}"), "is attached", "testpmd")
    tap.equal(program.quit(), 0, "exit status of testpmd")


tap.main()
