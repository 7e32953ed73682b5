# SPDX-License-Identifier: BSD-3-Clause
"""The result for a person to read."""

TITLES = {
    "stock": "stock net_e1000_igb",
    "stock_rebuilt": "stock, our options",
    "ixgbe_vector": "net_ixgbe, vector",
    "floor": "floor",
    "scalar": "ours, scalar",
    "scalar_fast_free": "ours, scalar, fast free",
    "avx2": "ours, AVX2",
    "avx2_fast_free": "ours, AVX2, fast free",
    "avx512": "ours, AVX-512",
    "avx512_fast_free": "ours, AVX-512, fast free",
}


# Why a peer's values differ though it does the same work.
REASONS = {
    "ixgbe_vector": "its tables are the 82599's: it does not know all RSS types, calls frames "
                    "that are not IP Ethernet, and leaves checksum errors of UDP out for an "
                    "erratum of that chip",
}

TRANSMIT = """\
fwd / stock: stock's one transmit function would also take chains of segments and offloads,
whatever is configured; ours takes them off the plain path, and that of ixgbe does not take them."""

WORKLOADS = {
    "chains2": "chains of 2 segments",
    "chains4": "chains of 4 segments",
    "tso32k": "TSO, 32 KiB",
    "csum_vlan": "checksums, VLAN",
    "rx_scattered": "frames of 9 KiB",
}

WORKLOAD_COLUMNS = ["scalar", "avx2", "avx512"]

SAME = """\
our options: stock's source compiled as our AVX2 functions are.
instr: instructions per packet, exact. wb: descriptor write-backs per packet sent.
flushed: descriptors and payload not in the caches. 2 cores: Mpps with the device on another
core, best millisecond. same: mbufs and descriptors are as stock's, field by field."""


def present(result):
    """(name, variant) of all that were measured."""
    return [(name, variant) for name, variant in (result["peers"] | result["ours"]).items()
            if variant is not None]


def align(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        lines.append("  " + "   ".join(cells).rstrip())
    lines.insert(1, "  " + "   ".join("-" * width for width in widths))
    return lines


def ratio(figures):
    return f"{figures['ratio']:.3f} ({figures['ratio_min']:.3f}-{figures['ratio_max']:.3f})"


def two_cores(variant):
    if "two_core_mpps" not in variant:
        return "-", "-"
    return f"{variant['two_core_mpps']:.0f}", f"{variant['two_core_ratio']:.2f}"


def main_table(result):
    rows = [("burst 32", "rx", "tx", "fwd", "fwd / stock", "instr rx/tx/fwd", "wb", "flushed fwd",
             "/ stock", "2 cores", "/ stock", "same")]
    for name, variant in present(result):
        flushed = variant["flushed"]
        rows.append((
            TITLES[name], *(f"{variant[op + '_cycles']:.1f}" for op in ("rx", "tx", "fwd")),
            ratio(variant), "/".join(f"{variant[op + '_instr']:.0f}" for op in ("rx", "tx", "fwd")),
            f"{variant['tx_write_backs']:.3f}", f"{flushed['fwd_cycles']:.1f}",
            f"{flushed['ratio']:.3f}", *two_cores(variant),
            "yes" if variant["verified"] else "NO"))
    return align(rows)


def burst_table(result):
    bursts = list(result["peers"]["stock"]["bursts"])
    rows = [("forward, cycles (/ stock)", *(f"burst {burst}" for burst in bursts))]
    for name, variant in present(result):
        cells = [TITLES[name]]
        for burst in bursts:
            figures = variant["bursts"][burst]
            cells.append(f"{figures['fwd_cycles']:.1f} ({figures['ratio']:.3f})" if figures else "-")
        rows.append(tuple(cells))
    return align(rows)


def doorbell_table(result):
    bursts = list(result["peers"]["stock"]["bursts"])
    rows = [("doorbells per burst, rx + tx", *(f"burst {burst}" for burst in bursts))]
    for name, variant in present(result):
        cells = [TITLES[name]]
        for burst in bursts:
            figures = variant["bursts"][burst]
            if figures is None:
                cells.append("-")
                continue
            rx, tx = (figures[op + "_doorbells"] * int(burst) for op in ("rx", "tx"))
            cells.append(f"{rx:.2f} + {tx:.2f}")
        rows.append(tuple(cells))
    return align(rows)


def workload_table(result):
    """A simple table of reStructuredText, for the performance guide."""
    ours = [name for name in WORKLOAD_COLUMNS if result["ours"][name] is not None]
    head = ["workload", "op", "stock"]
    head += [f"{TITLES[name].removeprefix('ours, ')} / stock" for name in ours]
    head += ["flushed", "instr stock/" + "/".join(ours), "same"]
    rows = [head]
    for workload, ops in result["workloads"].items():
        for op, variants in ops.items():
            there = [variants[name] for name in ours if name in variants]
            instr = "/".join(f"{values['instr']:.0f}" for values in [variants["stock"], *there])
            rows.append([WORKLOADS[workload], op, f"{variants['stock']['cycles']:.1f}",
                         *(ratio(values) for values in there),
                         "/".join(f"{values['flushed_ratio']:.2f}" for values in there), instr,
                         "yes" if all(values["verified"] for values in there) else "NO"])
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    rule = " ".join("=" * width for width in widths)
    lines = [" ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    return [rule, lines[0], rule, *lines[1:], rule]


def notes(result):
    lines = []
    for name, variant in present(result):
        if variant["differences"]:
            fields = ", ".join(f"{difference['field']} ({difference['packets']})"
                               for difference in variant["differences"])
            reason = REASONS.get(name, "IT DOES NOT COUNT")
            lines.append(f"{TITLES[name]} leaves other values than stock in {fields}: {reason}.")
    for name, reason in result["absent"].items():
        lines.append(f"{TITLES[name]} is not there: {reason}")
    return lines


def offloads(result):
    lines = []
    for name, variant in present(result):
        if name != "floor":
            lines.append(f"  {TITLES[name]}: Rx {' '.join(variant['rx_offloads']) or 'none'}; "
                         f"Tx {' '.join(variant['tx_offloads']) or 'none'}")
    return lines


def show(result):
    lines = [f"TSC cycles per packet of 64 bytes, medians of {result['processes']} processes, "
             f"{result['memory']},", f"{result['dpdk']}, {result['cpu']}", ""]
    lines += main_table(result) + ["", TRANSMIT, ""] + burst_table(result) + [""] + doorbell_table(result)
    lines += ["", SAME, "", "What is not plain, cycles per packet:", ""] + workload_table(result)
    lines += ["", "Offloads configured:"]
    lines += offloads(result)
    found = notes(result)
    return "\n".join(lines + ([""] + found if found else []))
