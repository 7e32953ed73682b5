# SPDX-License-Identifier: BSD-3-Clause
"""In the lab's guest: the same testpmd io forward with a stock driver, the stock way and under
dpdk-iommufd-run, in turns: drivers_guest.py BUILD ROUNDS. The result goes to
/run/job/result.json."""

import json
import os
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "quickstart"))

# pylint: disable=wrong-import-position
import compare

PCI = "/sys/bus/pci"


def bind(device):
    folder = f"{PCI}/devices/{device}"
    compare.write(f"{folder}/driver_override", "vfio-pci\n")
    if os.path.exists(f"{folder}/driver"):
        compare.write(f"{folder}/driver/unbind", device)
    compare.write(f"{PCI}/drivers/vfio-pci/bind", device)


def main():
    build, rounds = sys.argv[1], int(sys.argv[2])
    nics = os.environ["LAB_NICS"].split()
    extra = os.environ["LAB_EXTRA"].split()
    for device in extra:
        bind(device)
    nics += extra
    commands = {"stock": compare.stock_command(nics),
                "ours": compare.preload_command(nics, build)}
    trace = compare.PagemapTrace()
    results = {name: [] for name in commands}
    for number in range(1, rounds + 1):
        for name, command in commands.items():
            results[name].append(compare.measure(
                command, trace,
                lambda text, at=number, way=name: print(f"round {at}, {way}: {text}", flush=True)))
            print(json.dumps({name: results[name][-1]}), flush=True)
    speed = {(name, figure): statistics.median(result[figure] for result in results[name])
             for name in commands for figure in ("mpps", "mpps_after_migration")}
    summary = {
        "ours_mpps": speed["ours", "mpps"],
        "stock_mpps": speed["stock", "mpps"],
        "after_migration_mpps": speed["ours", "mpps_after_migration"],
        "stock_after_migration_mpps": speed["stock", "mpps_after_migration"],
        "ratio": statistics.median(ours["mpps"] / stock["mpps"] for ours, stock in
                                   zip(results["ours"], results["stock"]) if stock["mpps"]),
        "pagemap_opens": max(result["pagemap_opens"] for result in results["ours"]),
        "stock_pagemap_opens": max(result["pagemap_opens"] for result in results["stock"]),
        "uid": results["ours"][0]["uid"],
    }
    summary = {name: round(value, 4) for name, value in summary.items()}
    with open(os.path.join(os.environ["LAB_JOB"], "result.json"), "w", encoding="utf-8") as file:
        json.dump(summary, file)


if __name__ == "__main__":
    main()
