#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer --timeout 300
"""DPDK's own mempool and mbuf tests (package dpdk-dev), on pools of the iommufd ops.

mempool_autotest demands rte_mempool_virt2iova(obj) == rte_mem_virt2iova(obj). In IOVA mode VA
the right side is the virtual address, which a device must never be given, so there the two
differ by design. In mode PA, asked for by hand, the right side comes from pagemap.
"""

import shutil

from labtest import lab, process, tap

PROGRAM = "dpdk-test"


def run(autotest, extra=()):
    if not shutil.which(PROGRAM):
        raise tap.Skip(f"{PROGRAM} (package dpdk-dev) is not installed")
    status, output = process.run([PROGRAM, *lab.eal(lab.NICS[0], extra=extra), autotest],
                                 timeout=200)
    end = "\n".join(output.splitlines()[-10:])
    tap.check("Test OK" in output and "Test Failed" not in output and status == 0,
              f"{autotest} ended with status {status}:\n{end}")


@tap.test("mempool_autotest", limit=200)
def mempool():
    run("mempool_autotest", ["--iova-mode=pa"])


@tap.test("mbuf_autotest", limit=200)
def mbuf():
    run("mbuf_autotest")


tap.main()
