# SPDX-License-Identifier: BSD-3-Clause
"""One result of the records of many processes of bench_hotpath (app/bench/hotpath/modes.hpp)."""

from statistics import median

STOCK = "stock"
PEERS = [STOCK, "stock_rebuilt", "ixgbe_vector", "floor"]
OURS = ["scalar", "scalar_fast_free", "avx2", "avx2_fast_free", "avx512", "avx512_fast_free"]
OPS = ["rx", "tx", "fwd"]
# Besides the plain one (app/bench/hotpath/workload.cpp).
WORKLOADS = ["chains2", "chains4", "tso32k", "csum_vlan", "rx_scattered"]
BURST = 32  # of the figures that stand for a variant
DIGITS = {"cycles": 2, "instr": 2, "ratio": 4, "doorbells": 4, "write_backs": 4, "mpps": 1}


class Records:
    """What the processes have printed, by what it is about."""

    def __init__(self, listed, checked, counted, timed, two_core):
        self.machine = listed[0]
        self.variants = {line["variant"]: line for line in listed if "variant" in line}
        self.absent = {line["absent"]: line["reason"] for line in listed if "absent" in line}
        self.differences = {line["variant"]: line["differences"] for line in checked}
        self.counts = {(line["variant"], line["op"], line["burst"]): line for line in counted}
        self.cycles = [{(line["variant"], line["op"], line["burst"], line["cache"]): line["cycles"]
                        for line in process} for process in timed]
        self.bursts = sorted({line["burst"] for line in counted})
        self.mpps = [{line["variant"]: line["mpps"] for line in process} for process in two_core]


def spread(name, values):
    values = list(values)
    key = name.rpartition("_")[2]
    figures = {name: median(values), f"{name}_min": min(values), f"{name}_max": max(values)}
    return {label: round(value, DIGITS[key]) for label, value in figures.items()}


def figures(records, variant, burst, cache):
    """Cycles of each operation, and the ratio to stock's in the same process."""
    result = {}
    for op in OPS:
        samples = [process.get((variant, op, burst, cache)) for process in records.cycles]
        if None in samples:
            return None  # it cannot be asked for so few packets
        stock = [process[STOCK, op, burst, cache] for process in records.cycles]
        ratios = [ours / theirs for ours, theirs in zip(samples, stock)]
        result.update(spread(f"{op}_cycles", samples))
        result.update(spread("ratio" if op == "fwd" else f"{op}_ratio", ratios))
    return result


def exact(records, variant, burst):
    result = {}
    for op in OPS:
        line = records.counts.get((variant, op, burst))
        if line is None:
            return {}
        result[f"{op}_instr"] = round(line["instructions"], DIGITS["instr"])
        result[f"{op}_doorbells"] = line["doorbells"]
    result["tx_write_backs"] = records.counts[variant, "tx", burst]["write_backs"]
    return result


def two_cores(records, variant):
    """Packets per microsecond with the device on another core, and stock's share of it."""
    if any(variant not in process for process in records.mpps) or not records.mpps:
        return {}
    return (spread("two_core_mpps", [process[variant] for process in records.mpps]) |
            spread("two_core_ratio",
                   [process[variant] / process[STOCK] for process in records.mpps]))


def describe(records, variant):
    """The object of one variant; None if it is not there."""
    if variant not in records.variants:
        return None
    listed = records.variants[variant]
    result = figures(records, variant, BURST, "warm") | exact(records, variant, BURST)
    result["flushed"] = figures(records, variant, BURST, "flushed")
    result["bursts"] = {}
    for burst in records.bursts:
        warm = figures(records, variant, burst, "warm")
        result["bursts"][str(burst)] = warm and warm | exact(records, variant, burst) | {
            "flushed": figures(records, variant, burst, "flushed")}
    result |= two_cores(records, variant)
    result["verified"] = not records.differences[variant]
    result["differences"] = records.differences[variant]
    for name in ("driver", "rx_mode", "tx_mode", "rx_offloads", "tx_offloads"):
        result[name] = listed[name]
    return result


def workload_figures(checked, counted, timed, variant, op):
    """Of one variant in one operation; None if it is not there."""
    counts = [line for line in counted if (line["variant"], line["op"]) == (variant, op)]
    if not counts:
        return None
    result = {"burst": counts[0]["burst"],
              "instr": round(counts[0]["instructions"], DIGITS["instr"]),
              "doorbells": counts[0]["doorbells"], "write_backs": counts[0]["write_backs"],
              "verified": not checked[variant]["differences"],
              "differences": checked[variant]["differences"]}
    for cache, prefix in (("warm", ""), ("flushed", "flushed_")):
        cycles = [{line["variant"]: line["cycles"] for line in process
                   if (line["op"], line["cache"]) == (op, cache)} for process in timed]
        result |= spread(f"{prefix}cycles", [process[variant] for process in cycles])
        result |= spread(f"{prefix}ratio",
                         [process[variant] / process[STOCK] for process in cycles])
    return result


def summarize_workload(checked, counted, timed):
    """{operation: {variant: figures}} of the records of the processes of one workload."""
    checked = {line["variant"]: line for line in checked}
    ops = [op for op in OPS if any(line["op"] == op for line in counted)]
    found = {op: {variant: workload_figures(checked, counted, timed, variant, op)
                  for variant in PEERS + OURS} for op in ops}
    return {op: {variant: values for variant, values in variants.items() if values is not None}
            for op, variants in found.items()}


def cpu_model():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        fields = dict(line.split(":", 1) for line in file.read().split("\n\n")[0].splitlines()
                      if ":" in line)
    fields = {name.strip(): value.strip() for name, value in fields.items()}
    return (f"{fields['model name']} (family {fields['cpu family']}, model {fields['model']}, "
            f"stepping {fields['stepping']})")


def summarize(listed, checked, counted, timed, two_core):
    records = Records(listed, checked, counted, timed, two_core)
    return {
        "peers": {name: describe(records, name) for name in PEERS},
        "ours": {name: describe(records, name) for name in OURS},
        "absent": records.absent,
        "processes": len(timed),
        "cpu": cpu_model(),
        "dpdk": records.machine["dpdk"],
        "memory": records.machine["memory"],
    }
