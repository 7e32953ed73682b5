#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer --timeout 300
"""The Debian packages of this tree (devtools/package.sh), installed by dpkg into a root that is laid
over this machine's: the main job from them, and what is left when they are purged."""

import contextlib
import functools
import glob
import os
import shutil

from labtest import lab, process, stock, tap, traffic
from labtest.peer import Peer
from labtest.testpmd import Testpmd
from labtest.trace import PagemapOpens

FOLDER = "/run/labtest-packages"
STAGE = f"{FOLDER}/stage"  # the root that dpkg installs into
ROOT = f"{FOLDER}/root"  # that, laid over this machine's
ENTER = ["chroot", ROOT]
# The stage has none of the packages that these depend on, and no shell for their scripts, which are
# debhelper's: they run outside of it and know where it is.
DPKG = ["env", "DEBIAN_FRONTEND=noninteractive", "dpkg", f"--root={STAGE}", "--force-depends",
        "--force-script-chrootless", "--log=/dev/null"]
DPKGS_OWN = "/var/lib/dpkg/"


def do(*words):
    status, output = process.run([*words], timeout=120)
    tap.equal(status, 0, f"{' '.join(words)}\n{output}")
    return output


@functools.cache
def packages():
    """{name: file}"""
    found = glob.glob(os.path.join(lab.BUILD, "packages/*.deb"))
    if not found:
        raise tap.Skip("there are no packages: run devtools/package.sh")
    return {do("dpkg-deb", "--field", file, "Package").strip(): file for file in found}


def names():
    return sorted(packages())


@functools.cache
def root():
    """What is installed, at its place in a system that has mounted what systems have."""
    install()
    do("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={STAGE}:/", ROOT)
    for folder in ("/proc", "/sys", "/dev", "/run", "/tmp"):
        do("mount", "--rbind", folder, ROOT + folder)
    return ROOT


def install():
    """Whether or not they are installed."""
    if not os.path.isdir(STAGE):
        os.makedirs(f"{STAGE}/var/lib/dpkg/info")
        os.makedirs(f"{STAGE}/usr/lib")
        os.symlink("usr/lib", f"{STAGE}/lib")  # as merged systems have it
        os.mkdir(ROOT)
        with open(f"{STAGE}/var/lib/dpkg/status", "x", encoding="ascii"):
            pass
    return do(*DPKG, "--install", *packages().values())


def files():
    """Of the stage, but for dpkg's own."""
    found = set()
    for path, _, names_here in os.walk(STAGE):
        found |= {os.path.join(path, name)[len(STAGE):] for name in names_here}
    return {path for path in found if not path.startswith(DPKGS_OWN)}


@tap.test("dpkg installs them, and what is in them is where it is looked for")
def installed():
    install()
    tap.equal(len(names()), 4, f"packages: {names()}; their number")
    for path in ("/usr/bin/dpdk-iommufd-run", "/usr/include/dpdk-iommufd/rte_bus_iommufd.h",
                 "/usr/share/bash-completion/completions/dpdk-iommufd-run",
                 "/usr/share/man/man1/dpdk-iommufd-run.1.gz",
                 "/usr/lib/systemd/system/dpdk-iommufd@.service"):
        tap.check(path in files(), f"{path} is not in {sorted(files())}")
    root()
    tap.contains(do(*ENTER, "dpdk-iommufd-run", "--version"), "dpdk-iommufd-run ", "--version")


@tap.test("the plugins are loaded by themselves, and forward byte for byte without pagemap")
def main_job():
    root()
    with Peer() as peer, PagemapOpens() as opens:
        program = Testpmd(["-l", "0-1", "--no-pci", *lab.allow(*lab.NICS), *lab.POOL_OPS],
                          prefix=ENTER).start()
        for port in (0, 1):
            tap.equal(program.info(port)["Driver name"], "net_iommufd_igb", f"driver of port {port}")
        traffic.check(peer, program)
        tap.equal(program.quit(), 0, "exit status of testpmd")
        tap.equal(opens.by(), [], "threads that opened pagemap")


@tap.test("the launcher and its library: a stock driver as uid 1000")
def launcher():
    root()
    with Peer() as peer, PagemapOpens() as opens:
        run = [*ENTER, "dpdk-iommufd-run", *stock.run(*lab.NICS)[1:]]
        program = Testpmd(["-l", "0-1", *stock.allow(*lab.NICS)], prefix=run).start()
        stock.check_privileges(stock.child_of(program))
        traffic.check(peer, program)
        tap.equal(program.quit(), 0, "exit status of testpmd")
        tap.equal(opens.by(), [], "threads that opened pagemap")
    stock.clean_up()


@tap.test("an upgrade to the same and a purge leave nothing")
def purge():
    leave()
    install()
    install()
    do(*DPKG, "--purge", *names())
    tap.equal(files(), set(), "files that are left")
    listed = process.run(["dpkg-query", f"--admindir={STAGE}/var/lib/dpkg", "--show"])[1]
    tap.check("dpdk-iommufd" not in listed, f"dpkg still knows:\n{listed}")


def leave():
    process.kill_all()
    if os.path.ismount(ROOT):
        do("umount", "--recursive", ROOT)


@tap.test("the stage goes")
def remove():
    with contextlib.suppress(tap.Skip):
        packages()
        leave()
        shutil.rmtree(FOLDER)


tap.main()
