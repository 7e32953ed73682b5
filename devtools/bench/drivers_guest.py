# SPDX-License-Identifier: BSD-3-Clause
"""In the lab's guest: the same testpmd io forward with a stock driver, the stock way and under
dpdk-iommufd-run, in turns: drivers_guest.py BUILD ROUNDS. The result goes to
/run/job/result.json."""

import json
import os
import statistics
import sys

os.environ["LAB_BUILD"] = sys.argv[1]
sys.path.insert(0, os.path.join(os.environ["LAB_TREE"], "devtools/quickstart"))

# pylint: disable=wrong-import-position
import compare  # noqa: E402
from labtest import lab, process, stock  # noqa: E402


def main():
    rounds = int(sys.argv[2])
    for device in stock.EXTRA:
        lab.bind(device, "vfio-pci")
    nics = lab.NICS + stock.EXTRA
    ways = {"stock": compare.stock_way(nics), "ours": compare.preload_way(nics)}
    results = {name: [] for name in ways}
    with process.explained():
        compare.measure_all(ways, rounds, results)
    speed = {(name, figure): statistics.median(result[figure] for result in results[name])
             for name in ways for figure in ("mpps", "mpps_after_migration")}
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
