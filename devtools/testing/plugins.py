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
USED = ["bus_pci", "bus_vdev", "mempool_ring", "mempool_stack", "net_e1000", "net_pcap",
        "net_virtio", "net_vmxnet3"]
FOLDERS = "/usr/lib/*/dpdk/pmds-*"
PLACE = "/run/lab-plugins"  # EAL takes none from below /tmp
_MS_BIND = 4096  # linux/mount.h
_MNT_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def _bind(source, target):
    _checked(_libc.mount(source.encode(), target.encode(), None, _MS_BIND, None),
             f"mount of {source} on {target}")


def links(names, abi):
    """What stands in the folder, of the names in the package's. EAL loads those that end with .so
    or the whole version, the dynamic linker those with its first number: programs are linked with
    some, so these stay, all of them."""
    kept = [name for name in names if name.endswith(".so." + abi.partition(".")[0])]
    return sorted(kept + [f"librte_{name}.so.{abi}" for name in USED])


def _replace(folder):
    abi = folder.rpartition("-")[2]
    all_of_them, few = (f"{PLACE}/{which}{folder}" for which in ("all", "few"))
    if not os.path.isdir(all_of_them):
        os.makedirs(all_of_them)
        _bind(folder, all_of_them)
        os.makedirs(few)
        for name in links(os.listdir(folder), abi):
            os.symlink(os.path.realpath(f"{all_of_them}/{name}", strict=True), f"{few}/{name}")
    _bind(few, folder)


@contextlib.contextmanager
def few_plugins():
    replaced = []
    try:
        for folder in glob.glob(FOLDERS):
            _replace(folder)
            replaced.append(folder)
        yield
    finally:
        for folder in replaced:
            _checked(_libc.umount2(folder.encode(), _MNT_DETACH), f"umount of {folder}")
