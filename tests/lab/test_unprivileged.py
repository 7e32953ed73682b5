#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer
"""Forwarding as an ordinary user with two capabilities; each of them is needed, and a message
says which and why."""

import contextlib
import shutil

from labtest import lab, memory, privileges, tap
from labtest.peer import Peer
from labtest.testpmd import Testpmd
from labtest.trace import PagemapOpens

LIMIT = 8 << 20  # bytes; RLIMIT_MEMLOCK where nobody has changed it


@contextlib.contextmanager
def for_user():
    """EAL's arguments for a user who has been given the nodes, and nothing else."""
    nodes = ["/dev/iommu", "/dev/hugepages", *map(lab.cdev_of, lab.NICS)]
    with privileges.owned(*nodes), privileges.reachable_plugins() as plugins:
        try:
            yield ["-l", "0-1", *plugins, "--no-pci", *lab.allow(*lab.NICS), *lab.POOL_OPS,
                   "--file-prefix", "user"]
        finally:
            lab.clean_up()
            shutil.rmtree("/tmp/dpdk", ignore_errors=True)


def refused(eal, capabilities):
    """What a start says that must fail."""
    program = Testpmd(eal, prefix=privileges.user(*capabilities),
                      preexec=privileges.memlock(LIMIT))
    status = program.wait(60)
    tap.check(status > 0, f"exit status {status}\n{program.output}")
    for nic in lab.NICS:
        tap.equal(lab.holders(lab.cdev_of(nic)), set(), f"processes that hold {nic}")
    return program.output


@tap.test("uid 1000 with CAP_SYS_RAWIO and CAP_IPC_LOCK alone forwards, without pagemap")
def forwards():
    with for_user() as eal, Peer() as peer, PagemapOpens() as opens:
        program = Testpmd(eal, prefix=privileges.user("sys_rawio", "ipc_lock"),
                          preexec=privileges.memlock(LIMIT)).start().wait_for_links()
        wanted = f"{privileges.IPC_LOCK | privileges.SYS_RAWIO:016x}"
        for name, expected in (("CapEff", wanted), ("CapPrm", wanted), ("CapBnd", wanted),
                               ("Uid", "\t".join(["1000"] * 4))):
            tap.equal(memory.status(program.pid, name), expected, name)

        program.commands("set promisc all off", "set fwd mac", f"set eth-peer 1 {peer.mac}",
                         "start")
        own = program.mac(0)
        frames = [peer.frame(own, 60 + 7 * i) for i in range(200)]
        for frame in frames:
            peer.send(frame)
        back = peer.receive(len(frames))
        tap.check([frame[12:] for frame in back] == [frame[12:] for frame in frames],
                  f"{len(frames)} frames sent, {len(back)} came back, or changed")
        program.command("stop")
        tap.equal(program.quit(), 0, "exit status of testpmd")
        tap.equal(opens.by(), [], "threads that opened pagemap")


@tap.test("without CAP_SYS_RAWIO: the message names it")
def no_rawio():
    with for_user() as eal:
        output = refused(eal, ["ipc_lock"])
        tap.contains(output, "CAP_SYS_RAWIO", "testpmd")
        tap.contains(output, lab.cdev_of(lab.NICS[0]), "testpmd")


@tap.test("without CAP_IPC_LOCK: the message says how much memory must be lockable")
def no_ipc_lock():
    with for_user() as eal:
        output = refused(eal + ["--in-memory", "-m", "64"], ["sys_rawio"])
        tap.contains(output, "RLIMIT_MEMLOCK, which is 8 MiB where 64 MiB are needed", "testpmd")
        tap.contains(output, "CAP_IPC_LOCK", "testpmd")


@tap.test("nodes that the user may not open: the message names the node")
def no_permission():
    with privileges.reachable_plugins() as plugins:
        eal = ["-l", "0-1", *plugins, "--no-pci", *lab.allow(*lab.NICS), *lab.POOL_OPS,
               "--in-memory"]
        output = refused(eal, ["sys_rawio", "ipc_lock"])
        tap.contains(output, "make /dev/iommu readable and writeable", "testpmd")
        with privileges.owned("/dev/iommu"):
            output = refused(eal, ["sys_rawio", "ipc_lock"])
        tap.contains(output, f"open of {lab.cdev_of(lab.NICS[0])}", "testpmd")
        tap.contains(output, "make the node readable and writeable", "testpmd")


tap.main()
