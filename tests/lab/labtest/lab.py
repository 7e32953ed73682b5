# SPDX-License-Identifier: BSD-3-Clause
"""The guest the tests run in: its NICs, the plugins, and what of it tests may change."""

import contextlib
import glob
import os
import time

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))))
BUILD = os.path.abspath(os.environ.get("LAB_BUILD", os.path.join(REPOSITORY, "build")))

NICS = os.environ.get("LAB_NICS", "").split()
PEER = os.environ.get("LAB_PEER", "")
MODULES = os.environ.get("LAB_MODULES", "")  # of Debian's kernel, for modprobe --dirname


def built(path):
    """What the build has made: no other file of the tests and of what runs in the guest says
    where that is."""
    return os.path.join(BUILD, path)


BUS = built("bus/iommufd/librte_bus_iommufd.so")
MEMPOOL = built("mempool/iommufd/librte_mempool_iommufd.so")
PMD = built("drivers/net/iommufd_igb/librte_net_iommufd_igb.so")
RUN = built("app/run/dpdk-iommufd-run")
LIBRARY = built("bus/preload/librte_iommufd_preload.so")
BENCH_HOTPATH = built("app/bench/hotpath/bench_hotpath")
BENCH_ECHO_SOURCE = built("app/bench/bench_echo_source")
BENCH_RESOLVE = built("app/bench/memory/bench_resolve")
BENCH_GROWTH = built("app/bench/memory/bench_growth")
DMA_ADDRESSES = built("tests/lab/dma_addresses")
TX_SOURCES = built("tests/lab/tx_sources")
EXAMPLE = built("tests/lab/example-")  # and its name
BUS_OF_OTHER_DPDK = built("tests/lab/librte_bus_iommufd_other_dpdk.so")

POOL_OPS = ["--mbuf-pool-ops-name", "iommufd"]
NOIOMMU_MODE = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
_PCI = "/sys/bus/pci"
_HUGETLBFS = "/dev/hugepages"


def plugins(*paths):
    """-d for each plugin; all of the project by default."""
    return [word for path in paths or (BUS, MEMPOOL, PMD) for word in ("-d", path)]


def allow(*nics, arguments=""):
    """-a for each NIC, with the same device arguments."""
    return [word for nic in nics for word in ("-a", f"iommufd:{nic}{arguments}")]


def eal(*nics, no_pci=True, extra=()):
    """EAL's arguments as a user gives them: the project's plugins and these NICs."""
    return (["-l", "0-1"] + plugins() + (["--no-pci"] if no_pci else []) +
            allow(*(nics or NICS)) + POOL_OPS + list(extra))


@contextlib.contextmanager
def hidden(path):
    """A file that is not there for a while."""
    os.rename(path, path + ".hidden")
    try:
        yield
    finally:
        os.rename(path + ".hidden", path)


def read(path):
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read().strip()


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def driver_of(nic):
    """The kernel driver that has a device; None without one."""
    link = f"{_PCI}/devices/{nic}/driver"
    return os.path.basename(os.readlink(link)) if os.path.islink(link) else None


def cdev_of(nic):
    """Its vfio character device; None if it has none."""
    found = os.listdir(f"{_PCI}/devices/{nic}/vfio-dev") if os.path.isdir(
        f"{_PCI}/devices/{nic}/vfio-dev") else []
    return f"/dev/vfio/devices/{found[0]}" if found else None


def interface_of(nic):
    """The network interface that its kernel driver has made."""
    return os.listdir(f"{_PCI}/devices/{nic}/net")[0]


def group_of(nic):
    """Its vfio group's node."""
    group = os.path.basename(os.readlink(f"{_PCI}/devices/{nic}/iommu_group"))
    return f"/dev/vfio/noiommu-{group}"


def bind(nic, driver):
    """Hands a device to a kernel driver; None takes it away from the one it has."""
    if driver_of(nic) is not None:
        write(f"{_PCI}/devices/{nic}/driver/unbind", nic)
    write(f"{_PCI}/devices/{nic}/driver_override", (driver or "vfio-pci") + "\n")
    if driver is not None:
        write(f"{_PCI}/drivers/{driver}/bind", nic)


@contextlib.contextmanager
def bound(nic, driver):
    bind(nic, driver)
    try:
        yield
    finally:
        bind(nic, "vfio-pci")


@contextlib.contextmanager
def parameter(path, value):
    """A module parameter for a while."""
    before = read(path)
    write(path, value)
    try:
        yield
    finally:
        write(path, before)


def holders(path):
    """Processes that have a file open."""
    wanted = os.stat(path)
    found = set()
    for link in glob.glob("/proc/[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            have = os.stat(link)
            if (have.st_dev, have.st_ino) == (wanted.st_dev, wanted.st_ino):
                found.add(int(link.split("/")[2]))
    return found


def hugepages_free():
    """Free hugepages of 2 MiB; pages of a process that has just ended are waited for."""
    path = "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"
    last = -1
    for _ in range(50):
        now = int(read(path))
        if now == last:
            break
        last = now
        time.sleep(0.1)
    return last


def clean_up():
    """Removes what DPDK leaves by design: the files of its hugepages, for its next start."""
    for name in glob.glob(f"{_HUGETLBFS}/*map_*"):
        os.unlink(name)


def state():
    """What a test file must leave as it found it."""
    peer = {}
    if PEER:
        peer = {name: read(f"/sys/class/net/{PEER}/{name}")
                for name in ("mtu", "flags", "address", "operstate")}
    return {
        "drivers": {nic: driver_of(nic) for nic in NICS},
        "holders": {nic: holders(cdev_of(nic)) for nic in NICS if cdev_of(nic)},
        "hugepages": hugepages_free(),
        "hugepage files": os.listdir(_HUGETLBFS),
        "no-IOMMU mode": read(NOIOMMU_MODE) if os.path.exists(NOIOMMU_MODE) else None,
        "nodes": {path: (os.stat(path).st_mode, os.stat(path).st_uid, os.stat(path).st_gid)
                  for path in ["/dev/iommu", _HUGETLBFS, *map(cdev_of, NICS)]
                  if path and os.path.exists(path)},
        "peer": peer,
        "kprobes": read("/sys/kernel/tracing/kprobe_events"),
    }
