#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer
"""The plugins as `ninja install` leaves them: one folder, given to EAL or its own, in which
they find each other; and the hardware they say they drive."""

import functools
import json
import os
import shutil
import subprocess

from labtest import lab, process, tap
from labtest.testpmd import Testpmd

FOLDER = "/run/labtest-installed"  # EAL takes no plugin from below /tmp


@functools.cache
def install():
    """`meson install` into FOLDER; the folder of the plugins in it."""
    if not shutil.which("meson"):
        raise tap.Skip("meson is not installed")
    logs = os.path.join(lab.BUILD, "meson-logs")  # written by meson, and read-only in the guest
    process.run(["mount", "-t", "tmpfs", "tmpfs", logs])
    try:
        status, output = process.run(["meson", "install", "--no-rebuild", "-C", lab.BUILD,
                                      "--destdir", FOLDER])
    finally:
        process.run(["umount", logs])
    tap.equal(status, 0, f"meson install\n{output}")
    for path, _, files in os.walk(FOLDER):
        if "librte_bus_iommufd.so" in files:
            return path
    raise tap.Failure(f"no librte_bus_iommufd.so below {FOLDER}")


@tap.test("all plugins are installed, into the folder the packaged DPDK loads")
def installed():
    folder = install()
    expected = {"librte_bus_iommufd.so", "librte_mempool_iommufd.so",
                "librte_net_iommufd_igb.so"}
    tap.check(expected <= set(os.listdir(folder)), f"{folder} has {os.listdir(folder)}")
    tap.check(os.path.isdir(folder.removeprefix(FOLDER)),
              f"{folder.removeprefix(FOLDER)} does not exist, so nothing loads plugins from there")


@tap.test("testpmd with nothing but the folder: the plugins find each other by RPATH")
def folder_alone():
    folder = install()
    for name in sorted(os.listdir(folder)):
        if name.endswith(".so"):
            status, output = process.run(["ldd", os.path.join(folder, name)])
            tap.equal(status, 0, f"ldd {name}")
            tap.check("not found" not in output, f"{name}\n{output}")
            if name != "librte_bus_iommufd.so":
                tap.contains(output, os.path.join(folder, "librte_bus_iommufd.so"), name)
    program = Testpmd(["-l", "0-1", "-d", folder, "--no-pci", *lab.allow(*lab.NICS),
                       *lab.POOL_OPS]).start()
    for port in (0, 1):
        tap.equal(program.info(port)["Driver name"], "net_iommufd_igb", f"driver of port {port}")
    tap.equal(program.quit(), 0, "exit status of testpmd")


@tap.test("dpdk-pmdinfo.py shows the hardware")
def pmdinfo():
    script = shutil.which("dpdk-pmdinfo.py")
    if not script:
        raise tap.Skip("dpdk-pmdinfo.py (package dpdk) is not installed")
    result = subprocess.run([script, os.path.join(install(), "librte_net_iommufd_igb.so")],
                            capture_output=True, text=True, check=False, timeout=60)
    if "ModuleNotFoundError" in result.stderr or "ImportError" in result.stderr:
        raise tap.Skip(result.stderr.strip().splitlines()[-1])
    tap.equal(result.returncode, 0, f"dpdk-pmdinfo.py\n{result.stderr}")
    drivers = {driver["name"]: driver for driver in json.loads(result.stdout)}
    tap.check("net_iommufd_igb" in drivers, result.stdout)
    ids = [(entry["vendor"], entry["device"])
           for entry in drivers["net_iommufd_igb"].get("pci_ids", [])]
    tap.check(("8086", "10c9") in ids, f"its PCI IDs: {ids}")


@tap.test("the folder goes")
def remove():
    shutil.rmtree(FOLDER, ignore_errors=True)


tap.main()
