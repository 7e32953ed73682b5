# SPDX-License-Identifier: BSD-3-Clause
"""A second Ethernet segment, for what forwards between two: behind the hub with LAB_NICS and the peer
there is hub 1, with the first --extra-device, a NIC under test, and the second, a peer of its own."""

import contextlib
import subprocess

from labtest import lab, peer, stock


@contextlib.contextmanager
def second():
    """The NIC of hub 1, bound to vfio-pci, and the name of its peer's interface, which is up."""
    nic, other = stock.EXTRA
    name = lab.interface_of(other)
    before = lab.driver_of(nic)
    lab.bind(nic, "vfio-pci")
    try:
        subprocess.run(["ip", "link", "set", name, "up"], check=True, timeout=20)
        peer.wait_for_link(name)
        yield nic, name
    finally:
        subprocess.run(["ip", "link", "set", name, "down"], check=True, timeout=20)
        lab.bind(nic, before)
