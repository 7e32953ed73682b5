# SPDX-License-Identifier: BSD-3-Clause
"""Stock drivers over iommufd: dpdk-testpmd and others under dpdk-iommufd-run, as a user."""

import contextlib
import os
import re
import shutil
import time

from labtest import lab, memory, privileges, process, tap
from labtest.telemetry import Telemetry
from labtest.testpmd import Testpmd

_STATE = "/run/dpdk-iommufd"
EXTRA = os.environ.get("LAB_EXTRA", "").split()

# The driver that DPDK has for each of QEMU's devices.
_DRIVERS = {
    ("0x8086", "0x10c9"): "net_e1000_igb",
    ("0x8086", "0x10d3"): "net_e1000_em (e1000e)",
    ("0x8086", "0x100e"): "net_e1000_em (82540EM)",
    ("0x1af4", "0x1041"): "net_virtio",
    ("0x15ad", "0x07b0"): "net_vmxnet3",
}


def driver(device):
    folder = f"/sys/bus/pci/devices/{device}"
    return _DRIVERS.get((lab.read(f"{folder}/vendor"), lab.read(f"{folder}/device")))


@contextlib.contextmanager
def bound(devices=None):
    """The extra devices belong to vfio-pci for a while; {driver: device} of all there are."""
    before = {device: lab.driver_of(device) for device in EXTRA}
    for device in EXTRA:
        lab.bind(device, "vfio-pci")
    try:
        yield {driver(device): device for device in devices or lab.NICS[:1] + EXTRA
               if driver(device)}
    finally:
        process.kill_all()  # the kernel does not take a device from who holds it
        for device, name in before.items():
            lab.bind(device, name)


def run(*devices, user=privileges.UID):
    """The prefix of a command that is to have these devices."""
    words = [lab.RUN] + (["--user", user] if user else [])
    for device in devices:
        words += ["--device", device]
    return words + ["--"]


def allow(*devices):
    return [word for device in devices for word in ("-a", device)]


class _Launched(Testpmd):
    """Ends when what the launcher has left behind for its user has ended too."""

    def wait(self, timeout):
        status = super().wait(timeout)
        settle()
        return status


def settle(user=privileges.UID):
    """Waits for the end of the processes that stay behind with the user's commands: the folder of all
    users is the last thing that they remove."""
    deadline = time.monotonic() + 10
    while _left_of(user) and not _has_commands(user):
        if time.monotonic() > deadline:
            raise process.Timeout(f"left behind in {_STATE}: {_left_of(user)}")
        time.sleep(0.02)


def _left_of(user):
    """What is still there for a user; the folder itself if nothing is in it."""
    try:
        names = os.listdir(_STATE)
    except FileNotFoundError:
        return []
    own = re.compile(rf"runtime-{user}|hugetlbfs-{user}-.*|user-{user}\.lock")
    return [name for name in names or ["."] if name == "." or own.fullmatch(name)]


def _has_commands(user):
    """Whether any process has a broker and is the user's."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.stat(f"/proc/{name}").st_uid != user:
                continue
            with open(f"/proc/{name}/environ", "rb") as file:
                if b"DPDK_IOMMUFD_BROKER=" in file.read():
                    return True
    return False


def testpmd(*devices, eal=(), options=(), user=privileges.UID):
    """Stock testpmd with stock drivers, over iommufd."""
    return _Launched(["-l", "0-1", *allow(*devices), *eal], options,
                     prefix=run(*devices, user=user))


def stock_testpmd(*devices, eal=(), options=()):
    """The same the stock way: as root, vfio's group, pagemap."""
    return Testpmd(["-l", "0-1", *allow(*devices), *eal], options)


def check_privileges(pid, user=privileges.UID):
    """What a command has under dpdk-iommufd-run --user: the user's identity, no capability, and
    memory that is pinned all the same. Nothing that was there before has become his."""
    for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb", "CapInh"):
        tap.equal(memory.status(pid, name), "0" * 16, name)
    tap.equal(memory.status(pid, "Uid"), "\t".join([str(user)] * 4), "Uid")
    for path in ("/dev/iommu", "/dev/hugepages", *(lab.cdev_of(nic) for nic in lab.NICS)):
        tap.equal(os.stat(path).st_uid, 0, f"owner of {path}")


def child_of(program):
    """The process of the command, which dpdk-iommufd-run has become."""
    return program.pid


def told(what, user=privileges.UID):
    """What the library tells of itself in a user's process, by telemetry: "info", "devices"."""
    with Telemetry(f"/run/dpdk-iommufd/runtime-{user}/dpdk/rte/dpdk_telemetry.v2") as connection:
        return connection.ask(f"/iommufd_preload/{what}")


def clean_up():
    """What a program leaves that was killed."""
    shutil.rmtree("/var/run/dpdk", ignore_errors=True)
    lab.clean_up()


def ping(count, *options, to="10.77.0.2"):
    """Status and output of ping(8)."""
    return process.run(["ping", "-n", "-W", "2", "-c", str(count), "-i", "0.02", *options, to])
