# SPDX-License-Identifier: BSD-3-Clause
"""In the lab's guest: the same testpmd io forward between the same two NICs, the stock way
and twice over iommufd, in turns. Writes what it measured as JSON to /run/job/result.json.

    stock   net_e1000_igb on the PCI bus, vfio's no-IOMMU group, addresses from
            /proc/self/pagemap, as root
    preload the same stock driver under dpdk-iommufd-run, as uid 1000 without any capability
    ours    this project's plugins, as uid 1000 with two capabilities

QEMU emulates each vector instruction by a call; where the CPU is such an emulation, all
three are told to do without (DPDK's own option for that).

Progress goes to stdout, one line each.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.environ["LAB_TREE"], "tests/lab"))

# pylint: disable=wrong-import-position
from labtest import lab, memory, privileges, process, stock, testpmd  # noqa: E402
from labtest.trace import PagemapOpens  # noqa: E402

# Few mbufs: what is allocated has to fit on either NUMA node after the migration.
OPTIONS = ["-i", "--forward-mode=io", "--portmask=0x3", "--total-num-mbufs=16384"]
SETTLE, MEASURE, MEASURE_MOVED = 3, 4, 4  # seconds


def simd_limit():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return ["--force-max-simd-bitwidth=64"] if "QEMU TCG" in file.read() else []


class Way:
    """To start testpmd: its EAL arguments, behind a prefix."""

    def __init__(self, eal, prefix=()):
        self.eal = ["-l", "0-1", *simd_limit(), *eal]
        self.prefix = list(prefix)

    def command(self):
        return testpmd.command_line(self.eal, OPTIONS)

    def start(self):
        return testpmd.Testpmd(self.eal, OPTIONS, self.prefix, defaults=()).start()

    def pid(self, program):
        """Of testpmd itself."""
        return stock.child_of(program) if lab.RUN in self.prefix else program.pid


def stock_way(nics):
    return Way(stock.allow(*nics))


def preload_way(nics):
    return Way(stock.allow(*nics), stock.run(*nics))


def our_way(nics):
    return Way(["--no-pci", *lab.plugins(), *lab.allow(*nics), *lab.POOL_OPS],
               privileges.user("ipc_lock", "sys_rawio"))


def nodes_of_user():
    """All that an administrator has to hand to the user."""
    return ["/dev/iommu", "/dev/hugepages", *map(lab.cdev_of, lab.NICS)]


def other_node(nodes):
    """(the node that holds most of the memory, another one)."""
    source = max(nodes, key=nodes.get)
    return source, 0 if source else 1


def mpps(program, seconds):
    """Million packets that it forwards per second, by our clock."""
    begin, _, before = program.packets()
    time.sleep(seconds)
    end, _, after = program.packets()
    return (after - before) / (end - begin) / 1e6


def measure(way, progress):
    progress("starting testpmd")
    with PagemapOpens() as opens:
        program = way.start()
        pid = way.pid(program)
        program.command("start tx_first")
        time.sleep(SETTLE)
        progress("measuring")
        result = {"mpps": mpps(program, MEASURE)}
        result["uid"] = int(memory.status(pid, "Uid").split()[0])
        result["capabilities"] = memory.status(pid, "CapEff")
        result["pinned_kib"] = memory.pinned(pid) // 1024
        nodes = memory.hugepages_by_node(pid)
        source, target = other_node(nodes)
        progress(f"moving its memory from node {source} to node {target}")
        subprocess.run(["migratepages", str(pid), str(source), str(target)], check=True)
        left = memory.hugepages_by_node(pid).get(source, 0)
        result["hugepages_moved"] = nodes[source] - left
        result["hugepages_stayed"] = left
        time.sleep(SETTLE)
        progress("measuring again")
        result["mpps_after_migration"] = mpps(program, MEASURE_MOVED)
        progress("ending testpmd")
        if program.quit() != 0:
            raise process.Ended(f"testpmd ended badly:\n{program.output[-2000:]}")
        result["pagemap_opens"] = opens.count()
    return result


def turns(ways, number):
    """Who comes first changes from round to round, for the machine may drift."""
    return list(ways) if number % 2 else list(reversed(ways))


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


def measure_all(ways, rounds, results):
    for number in range(1, rounds + 1):
        for name in turns(ways, number):
            results[name].append(measure(ways[name], lambda text, at=number, who=name: print(
                f"round {at} of {rounds}, {who}: {text}", flush=True)))
            print(json.dumps({name: results[name][-1]}), flush=True)


def main():
    rounds = int(sys.argv[1])
    ways = {"stock": stock_way(lab.NICS), "preload": preload_way(lab.NICS),
            "ours": our_way(lab.NICS)}
    results = {name: [] for name in ways}
    try:
        with privileges.owned(*nodes_of_user()), process.explained():
            measure_all(ways, rounds, results)
    except (process.Timeout, process.Ended) as error:
        print(error, flush=True)
        return 1
    summary = {name: medians(rounds_of) for name, rounds_of in results.items()}
    summary |= {"kernel": platform.release(), "dpdk": dpdk_version(),
                "command": ways["ours"].command(),
                "preload_command": [str(word) for word in stock.run(*lab.NICS)] +
                                   ways["preload"].command(),
                "rounds": rounds}
    with open(os.path.join(os.environ["LAB_JOB"], "result.json"), "w", encoding="utf-8") as file:
        json.dump(summary, file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
