# SPDX-License-Identifier: BSD-3-Clause
"""In the lab's guest: the same testpmd io forward with a stock driver, the stock way and under
dpdk-iommufd-run, in turns: drivers_guest.py BUILD ROUNDS. Prints a JSON object as soon as it
has measured something: {WAY: RESULT}."""

import os
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
    with process.explained():
        compare.measure_all(ways, rounds, {name: [] for name in ways})


if __name__ == "__main__":
    main()
