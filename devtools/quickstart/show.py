# SPDX-License-Identifier: BSD-3-Clause
"""Shows what compare.py measured: show.py RESULT.json table|json"""

import json
import shlex
import sys

CAPABILITY_NAMES = {14: "CAP_IPC_LOCK", 17: "CAP_SYS_RAWIO", 21: "CAP_SYS_ADMIN"}
OURS = ["mpps", "mpps_after_migration", "pagemap_opens", "uid", "capabilities"]
STOCK = ["mpps", "mpps_after_migration", "pagemap_opens", "capabilities"]


def ratio(result):
    stock = result["stock"]["mpps"]
    return result["ours"]["mpps"] / stock if stock else None


def as_json(result):
    def rounded(value):
        return round(value, 4) if isinstance(value, float) else value

    return json.dumps({
        "ours": {name: rounded(result["ours"][name]) for name in OURS},
        "preload": {name: rounded(result["preload"][name]) for name in OURS},
        "stock": {name: rounded(result["stock"][name]) for name in STOCK},
        "ratio": rounded(ratio(result)),
        "kernel": result["kernel"],
        "dpdk": result["dpdk"],
    })


def capabilities(side):
    mask = int(side["capabilities"], 16)
    bits = [bit for bit in range(64) if mask >> bit & 1]
    if len(bits) > len(CAPABILITY_NAMES):
        return "all"
    return " ".join(CAPABILITY_NAMES.get(bit, str(bit)) for bit in bits) or "none"


def rows(ours, preload, stock):
    def row(title, show):
        return title, show(ours), show(preload), show(stock)

    return [
        ("", "our driver", "stock driver", "stock driver"),
        ("", "on iommufd", "on iommufd", "the stock way"),
        ("driver", "net_iommufd_igb", "net_e1000_igb", "net_e1000_igb"),
        ("started with", "-d plugins", "dpdk-iommufd-run", "root"),
        ("addresses from", "iommufd GET_PA", "iommufd GET_PA", "/proc/self/pagemap"),
        row("forwarded, Mpps", lambda side: f"{side['mpps']:.3f}"),
        row("opens of pagemap", lambda side: str(side["pagemap_opens"])),
        row("user", lambda side: "root" if side["uid"] == 0 else f"uid {side['uid']}"),
        row("capabilities", capabilities),
        row("memory pinned", lambda side: f"{side['pinned_kib'] // 1024} MiB"),
        row("hugepages that migratepages moved", lambda side: str(side["hugepages_moved"])),
        row("forwarded after that, Mpps", lambda side: f"{side['mpps_after_migration']:.3f}"),
    ]


def as_table(result):
    table = rows(result["ours"], result["preload"], result["stock"])
    widths = [max(len(line[column]) for line in table) for column in range(4)]
    text = [f"testpmd io forward between two 82576, Linux {result['kernel']}, "
            f"DPDK {result['dpdk']}, median of {result['rounds']}", ""]
    for number, line in enumerate(table):
        text.append("  " + "   ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
        if number == 1:
            text.append("  " + "   ".join("-" * width for width in widths))
    speed = ratio(result)
    if speed is not None:
        text += ["", f"This project forwards {speed:.2f} times what the stock way does (emulated NICs:",
                 "the ratio counts, not the numbers)."]
    text += ["", "The commands, our driver's as run by uid " + str(result["ours"]["uid"]) + ":", "",
             "  " + shlex.join(result["command"]), "",
             "  " + shlex.join(result["preload_command"])]
    return "\n".join(text)


def main():
    name, form = sys.argv[1:]
    with open(name, encoding="utf-8") as file:
        result = json.load(file)
    print(as_json(result) if form == "json" else as_table(result))


if __name__ == "__main__":
    main()
