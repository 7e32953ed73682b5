# SPDX-License-Identifier: BSD-3-Clause
"""In the lab's guest: the folder from which the packaged DPDK loads plugins by itself holds, while a
test file runs, those that tests use. EAL loads every plugin that it finds there, 128 in Debian 12,
and with them libraries of many vendors: a second and more of each start in software emulation.

A test file with the word --all-plugins in its header has the folder as the package left it.
"""

import contextlib
import ctypes
import glob
import os

# What NICs, pools and buses of the tests are driven by. One that a test misses fails it.
USED = ["bus_pci", "bus_vdev", "mempool_ring", "mempool_stack", "net_e1000", "net_virtio",
        "net_vmxnet3"]
FOLDERS = "/usr/lib/*/dpdk/pmds-*"
FEW = "/run/lab-plugins"
_MS_BIND = 4096  # linux/mount.h
_MNT_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def _fill(few, folder):
    """Links to what is used: EAL takes names that end with its ABI's number, and knows by the real
    path what it has loaded."""
    abi = folder.rpartition("-")[2]
    os.makedirs(few, exist_ok=True)
    for name in USED:
        library = f"librte_{name}.so.{abi}"
        if not os.path.lexists(f"{few}/{library}"):
            os.symlink(os.path.realpath(f"{folder}/{library}", strict=True), f"{few}/{library}")


@contextlib.contextmanager
def few_plugins():
    mounted = []
    try:
        for folder in glob.glob(FOLDERS):
            few = FEW + folder.replace("/", "-")
            _fill(few, folder)
            _checked(_libc.mount(few.encode(), folder.encode(), None, _MS_BIND, None),
                     f"mount on {folder}")
            mounted.append(folder)
        yield
    finally:
        for folder in mounted:
            _checked(_libc.umount2(folder.encode(), _MNT_DETACH), f"umount of {folder}")
