#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer --all-plugins --timeout 240
"""What `ninja install` leaves. The plugins: one folder, given to EAL or its own, in which they find
each other; and the hardware they say they drive. The launcher and the library it preloads: below
their prefix, where they find each other without the tree that they were built in."""

import contextlib
import functools
import json
import os
import shutil
import subprocess

from labtest import lab, process, stock, tap, traffic
from labtest.peer import Peer
from labtest.testpmd import Testpmd
from labtest.trace import PagemapOpens

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
    return folder_of("librte_bus_iommufd.so")


def folder_of(name):
    """Where a program or library was installed; its completion has its name too."""
    for path, _, files in os.walk(FOLDER):
        if name in files and os.access(os.path.join(path, name), os.X_OK):
            return path
    raise tap.Failure(f"no {name} below {FOLDER}")


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


def mount(*words):
    status, output = process.run(["mount", *words])
    tap.equal(status, 0, f"mount {' '.join(words)}: {output}")


@contextlib.contextmanager
def at_prefix():
    """What was installed is where it is to be used, and the tree that it was built in is not there:
    nothing of it is found by chance. Gives the prefix."""
    install()
    folder = folder_of("dpdk-iommufd-run").removeprefix(FOLDER)
    tap.equal(os.path.basename(folder), "bin", "folder of the launcher")
    prefix = os.path.dirname(folder)
    with contextlib.ExitStack() as undo:
        for words, place in ((["--bind", FOLDER + prefix], prefix),
                             (["-t", "tmpfs", "tmpfs"], lab.BUILD)):
            mount(*words, place)
            undo.callback(process.run, ["umount", place])
        undo.callback(process.kill_all)  # what is in use is not unmounted
        yield prefix


def mapped_by(pid):
    """Files that a process has mapped."""
    with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as file:
        return {line.split(maxsplit=5)[5].strip() for line in file if len(line.split()) > 5}


@tap.test("the launcher and its library, below their prefix: testpmd forwards as uid 1000")
def launcher():
    with at_prefix() as prefix, Peer() as peer, PagemapOpens() as opens:
        run = [f"{prefix}/bin/dpdk-iommufd-run", *stock.run(*lab.NICS)[1:]]
        program = Testpmd(["-l", "0-1", *stock.allow(*lab.NICS)], prefix=run).start()
        child = stock.child_of(program)
        stock.check_privileges(child)
        ours = [path for path in mapped_by(child) if "iommufd" in path and path.endswith(".so")]
        tap.equal(len(ours), 1, f"libraries of the project in testpmd: {ours}; their number")
        # The command has a mount namespace of its own: seen from here its paths begin at the root of
        # that, where the guest's is mounted.
        tap.check(f"{prefix}/lib/" in ours[0] and lab.BUILD not in ours[0],
                  f"{ours[0]} is not below {prefix}")
        traffic.check(peer, program)
        tap.equal(program.quit(), 0, "exit status")
        tap.equal(opens.by(), [], "threads that opened pagemap")
    stock.clean_up()


@tap.test("negative control: without the library the launcher says where it has looked")
def no_library():
    with at_prefix() as prefix:
        folder = folder_of("librte_iommufd_preload.so")
        library = os.path.join(folder, "librte_iommufd_preload.so")
        os.rename(library, library + ".away")
        try:
            status, output = process.run([f"{prefix}/bin/dpdk-iommufd-run", "--dry-run", "--", "true"])
        finally:
            os.rename(library + ".away", library)
    tap.equal(status, 1, f"status:\n{output}")
    tap.contains(output, folder.removeprefix(FOLDER), "dpdk-iommufd-run")


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
