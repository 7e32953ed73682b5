# SPDX-License-Identifier: BSD-3-Clause
"""In the lab's guest: the same testpmd io forward between the same two NICs, the stock way
and twice over iommufd, in turns. Writes what it measured as JSON to /run/job/result.json.

    stock   net_e1000_igb on the PCI bus, vfio's no-IOMMU group, addresses from
            /proc/self/pagemap, as root
    preload the same stock driver under dpdk-iommufd-run, as uid 1000 with two capabilities
    ours    this project's plugins, as uid 1000 with two capabilities

QEMU emulates each vector instruction by a call; where the CPU is such an emulation, all
three are told to do without (DPDK's own option for that).

Progress goes to stdout, one line each.
"""

import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import time

from testpmd import Testpmd, TestpmdError

UID = 1000
CAPABILITIES = ["ipc_lock", "sys_rawio"]
PLUGINS = ["bus/iommufd/librte_bus_iommufd.so", "mempool/iommufd/librte_mempool_iommufd.so",
           "drivers/net/iommufd_igb/librte_net_iommufd_igb.so"]
# Few mbufs: what is allocated has to fit on either NUMA node after the migration.
TESTPMD_OPTIONS = ["--", "-i", "--forward-mode=io", "--portmask=0x3", "--total-num-mbufs=16384"]
SETTLE, MEASURE, MEASURE_MOVED = 3, 4, 4  # seconds
TRACING = "/sys/kernel/tracing"


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


class PagemapTrace:
    """Counts every open of any /proc/PID/pagemap, in the kernel."""

    def __init__(self):
        write(f"{TRACING}/kprobe_events", "p:pagemap pagemap_open")
        write(f"{TRACING}/events/kprobes/pagemap/enable", "1")
        before = self.count()
        with open("/proc/self/pagemap", "rb"):
            pass
        if self.count() != before + 1:
            raise RuntimeError("the kernel's trace does not see an open of pagemap")

    @staticmethod
    def count():
        with open(f"{TRACING}/kprobe_profile", encoding="ascii") as file:
            for line in file:
                name, hits, _ = line.split()
                if name == "pagemap":
                    return int(hits)
        raise RuntimeError("the kernel has lost the probe of pagemap_open")


def simd_limit():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return ["--force-max-simd-bitwidth=64"] if "QEMU TCG" in file.read() else []


def stock_command(nics):
    words = ["dpdk-testpmd", "-l", "0-1", *simd_limit()]
    for nic in nics:
        words += ["-a", nic]
    return words + TESTPMD_OPTIONS


def our_command(nics, build):
    words = ["dpdk-testpmd", "--no-pci", "-l", "0-1", *simd_limit()]
    for plugin in PLUGINS:
        words += ["-d", os.path.join(build, plugin)]
    for nic in nics:
        words += ["-a", f"iommufd:{nic}"]
    return words + ["--mbuf-pool-ops-name", "iommufd"] + TESTPMD_OPTIONS


def preload_command(nics, build):
    return [os.path.join(build, "app/run/dpdk-iommufd-run"), "--user", str(UID),
            *(word for nic in nics for word in ("--device", nic)), "--"] + stock_command(nics)


def unprivileged(command):
    capabilities = "-all," + ",".join("+" + name for name in CAPABILITIES)
    return ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups",
            f"--inh-caps={capabilities}", f"--ambient-caps={capabilities}",
            f"--bounding-set={capabilities}", "--"] + command


def open_to_user():
    """All that an administrator has to hand to the user."""
    nodes = ["/dev/iommu", "/dev/hugepages"]
    nodes += [f"/dev/vfio/devices/{name}" for name in os.listdir("/dev/vfio/devices")]
    for node in nodes:
        os.chown(node, UID, UID)


def other_node(nodes):
    """(the node that holds most of the memory, another one)."""
    source = max(nodes, key=nodes.get)
    return source, 0 if source else 1


def measure(command, trace, progress):
    opens = trace.count()
    progress("starting testpmd")
    with Testpmd(command) as testpmd:
        testpmd.command("start tx_first")
        time.sleep(SETTLE)
        progress("measuring")
        result = {"mpps": testpmd.mpps(MEASURE)}
        result["uid"] = int(testpmd.status("Uid").split()[0])
        result["capabilities"] = testpmd.status("CapEff")
        result["pinned_kib"] = int(testpmd.status("VmPin").split()[0])
        nodes = testpmd.hugepages_by_node()
        source, target = other_node(nodes)
        progress(f"moving its memory from node {source} to node {target}")
        subprocess.run(["migratepages", str(testpmd.pid), str(source), str(target)], check=False)
        left = testpmd.hugepages_by_node().get(source, 0)
        result["hugepages_moved"] = nodes[source] - left
        result["hugepages_stayed"] = left
        time.sleep(SETTLE)
        progress("measuring again")
        result["mpps_after_migration"] = testpmd.mpps(MEASURE_MOVED)
        progress("ending testpmd")
    result["pagemap_opens"] = trace.count() - opens
    return result


def medians(results):
    """Speeds: the median of the rounds. Everything else must not be talked down: the maximum."""
    merged = {}
    for name, value in results[0].items():
        values = [result[name] for result in results]
        if name.startswith("mpps"):
            merged[name] = statistics.median(values)
        else:
            merged[name] = value if isinstance(value, str) else max(values)
    return merged


def dpdk_version():
    return subprocess.run(["pkg-config", "--modversion", "libdpdk"], stdout=subprocess.PIPE,
                          text=True, check=True).stdout.strip()


def main():
    build, rounds = sys.argv[1], int(sys.argv[2])
    nics = os.environ["LAB_NICS"].split()
    ours = our_command(nics, build)
    commands = {"stock": stock_command(nics), "preload": preload_command(nics, build),
                "ours": unprivileged(ours)}
    open_to_user()
    trace = PagemapTrace()
    results = {name: [] for name in commands}
    try:
        for number in range(1, rounds + 1):
            for name, command in commands.items():
                results[name].append(measure(
                    command, trace,
                    lambda text: print(f"round {number} of {rounds}, {name}: {text}", flush=True)))
                print(json.dumps({name: results[name][-1]}), flush=True)
    except TestpmdError as error:
        print(f"{name}: {shlex.join(command)}\n{error}", flush=True)
        return 1
    summary = {name: medians(rounds_of) for name, rounds_of in results.items()}
    summary |= {"kernel": platform.release(), "dpdk": dpdk_version(), "command": ours,
                "preload_command": commands["preload"], "rounds": rounds}
    with open(os.path.join(os.environ["LAB_JOB"], "result.json"), "w", encoding="utf-8") as file:
        json.dump(summary, file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
