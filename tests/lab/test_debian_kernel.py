#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --apps --debian-kernel modules --nics 2 --peer --timeout 420
"""Debian 13's own kernel image with the modules of kernel/, as DKMS has built and installed them
(devtools/lib/debian_kernel.sh): both ways to use them, and that no module of the image that was built
for another struct vfio_device gets in. test_debian_kernel_packaged.py is the negative control."""

import os
import re

from labtest import debian, lab, memory, stock, tap, traffic
from labtest.dma import DmaAddresses, compare, sees_wrong_address
from labtest.peer import Peer
from labtest.testpmd import Testpmd
from labtest.trace import PagemapOpens

OURS = ["iommufd", "vfio", "vfio_iommu_type1", "vfio_pci_core", "vfio_pci"]
MODPROBE = os.path.join(lab.REPOSITORY, "kernel/modprobe.conf")


@tap.test("the image is Debian's; five modules are ours, and signed with the machine's key")
def image():
    version = lab.read("/proc/version")
    tap.note(version)
    tap.contains(version, "debian-kernel@lists.debian.org", "/proc/version")
    for name in OURS:
        tap.contains(debian.modinfo("filename", name), "/updates/dkms/", f"file of {name}")
        tap.contains(lab.read(f"/sys/module/{name}/taint"), "O", f"taint of {name}")
        tap.equal(debian.modinfo("signer", name), "DKMS module signing key", f"signer of {name}")


@tap.test("/dev/iommu, and a no-IOMMU cdev for each NIC")
def nodes():
    tap.check(os.path.exists("/dev/iommu"), "no /dev/iommu")
    tap.equal([lab.cdev_of(nic) for nic in lab.NICS],
              [f"/dev/vfio/devices/noiommu-vfio{number}" for number in range(len(lab.NICS))],
              "cdevs of the NICs")


@tap.test("GET_PA == pagemap, for every page of EAL's hugepages")
def addresses():
    program = DmaAddresses(eal=["-m", "64"]).start()
    runs = program.runs()
    pages = compare(program, runs)
    tap.note(f"{pages} pages")
    tap.check(pages >= 64 << 20 >> 12, f"only {pages} pages were compared")
    tap.equal(memory.pinned(program.pid), pages * memory.PAGE, "bytes that are pinned")
    tap.check(sees_wrong_address(program, runs[0]), "a wrong address passed for a right one")
    tap.equal(program.quit(), 0, "exit status")


@tap.test("testpmd with the project's driver forwards byte for byte, without pagemap")
def plugins():
    with Peer() as peer, PagemapOpens() as opens:
        program = Testpmd().start()
        tap.equal(program.info(0)["Driver name"], "net_iommufd_igb", "driver")
        traffic.check(peer, program)
        tap.equal(program.quit(), 0, "exit status of testpmd")
        tap.equal(opens.by(), [], "threads that opened pagemap")


@tap.test("dpdk-iommufd-run: the stock driver as uid 1000, byte for byte, without pagemap")
def launcher():
    with Peer() as peer, PagemapOpens() as opens:
        program = stock.testpmd(*lab.NICS).start()
        stock.check_privileges(stock.child_of(program))
        traffic.check(peer, program)
        tap.equal(program.quit(), 0, "exit status of testpmd")
        tap.equal(opens.by(), [], "threads that opened pagemap")
    stock.clean_up()


@tap.test("the kernel refuses every module of the image that was built for its own vfio")
def others():
    files = debian.users_of("vfio")
    names = sorted(debian.name_of(file) for file in files)
    tap.check("kvmgt" in names, f"users of vfio in the image: {names}")
    for file in files:
        status, said = debian.insmod(file)
        tap.check(status != 0, f"{file} was loaded")
        tap.check(re.search(rf"{debian.name_of(file)}: module uses symbol \(vfio_\w+\) from "
                            r"namespace DPDK_IOMMUFD_VFIO, but does not import it", said), said)
    with open(MODPROBE, encoding="ascii") as file:
        named = re.findall(r"^install (\S+) /usr/libexec/dpdk-iommufd-modules/refuse \1 "
                           r"\$CMDLINE_OPTS$", file.read(), re.M)
    tap.equal(sorted(named), names, "modules that modprobe.conf tells of")


tap.main()
