#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --userland trixie --nics 2 --peer --extra-device virtio-net-pci,netdev=hub,disable-legacy=on --timeout 420
"""The library, as built on Debian 12, under Debian 13's packaged DPDK (24.11): tests of
test_stock.py. The time limit covers the first run, which debootstraps Debian 13."""

import os
import sys

STOCK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "test_stock.py")

os.execv(sys.executable, [sys.executable, "-sS", STOCK, "net_e1000_igb", "net_virtio",
                          "two drivers", "the stock way loses"])
