#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer --all-plugins --timeout 300
"""dpdk-iommufd-run --serve: containers of an unprivileged user that have its socket and a hugetlbfs,
and nothing else of this machine's devices, run unmodified testpmd. A device goes to one client at a
time, and comes back stopped."""

import contextlib
import os
import shutil
import signal
import time

from labtest import lab, memory, peer, pod, privileges, process, stock, tap
from labtest.testpmd import Testpmd
from labtest.trace import PagemapOpens

NIC, OTHER = lab.NICS[:2]
FOLDER = "/run/labtest-serve"
SOCKET = f"{FOLDER}/broker"
EAL = ["-l", "0-1", *stock.allow(NIC)]
OURS = "10.77.0.1"


class Server(process.Process):
    def __init__(self, *devices, path=SOCKET, users=(privileges.UID,)):
        words = [lab.RUN, "--serve", path]
        for user in users:
            words += ["--user", user]
        for device in devices:
            words += ["--device", device]
        super().__init__(words)

    def start(self):
        self.wait_for("serves .* at", 20)
        return self


@contextlib.contextmanager
def serving(*devices, **rest):
    server = Server(*devices, **rest).start()
    try:
        yield server
    finally:
        os.kill(server.pid, signal.SIGTERM)
        tap.equal(server.wait(20), 0, "status of the server")
        tap.check(not os.path.exists(SOCKET), "its socket is left behind")
        shutil.rmtree(FOLDER, ignore_errors=True)


def in_pod(*words, **rest):
    return process.Process(pod.command(*words, **rest))


def run(*words):
    return [lab.RUN, "--connect", SOCKET, *words]


def testpmd():
    return Testpmd(EAL, prefix=pod.command(*run("--")))


def is_bus_master(nic):
    with open(f"/sys/bus/pci/devices/{nic}/config", "rb") as file:
        return bool(file.read(6)[4] & 4)


def settled_free(nic):
    """Waits until nobody has a device open."""
    deadline = time.monotonic() + 10
    while lab.holders(lab.cdev_of(nic)):
        if time.monotonic() > deadline:
            raise process.Timeout(f"{nic} is still held")
        time.sleep(0.02)


def kill_holders(nic):
    """Ends who has a device open; one of them may be about to end by itself."""
    for pid in lab.holders(lab.cdev_of(nic)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    settled_free(nic)


@tap.test("a container with the socket and a hugetlbfs: stock testpmd, no capability, no node")
def container():
    with serving(NIC) as server, pod.files(FOLDER), PagemapOpens() as opens:
        program = testpmd().start().wait_for_links(1)
        pid = pod.pid_of("dpdk-testpmd")
        for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb", "CapInh"):
            tap.equal(memory.status(pid, name), "0" * 16, name)
        tap.equal(memory.status(pid, "Uid"), "\t".join([str(privileges.UID)] * 4), "Uid")
        tap.equal(sorted(os.listdir(f"/proc/{pid}/root/dev")), ["hugepages", "null", "urandom"],
                  "its /dev")
        # The limit that it was started with is lower, and the broker has raised it.
        tap.check(memory.pinned(pid) > pod.LIMIT, f"{memory.pinned(pid)} bytes are pinned")
        tap.equal(lab.holders(lab.cdev_of(NIC)), {pid}, "who has the cdev")
        tap.check(is_bus_master(NIC), "it does no DMA: this shows nothing")
        program.commands("set fwd icmpecho", "start")
        with peer.address(lab.PEER, OURS + "/24"):
            status, output = stock.ping(3, "-M", "do", "-s", "1472", "-p", "a55a")
        tap.equal(status, 0, f"status of ping:\n{output}")
        tap.check("wrong data" not in output, output)

        second = in_pod(*run("--dry-run", "--", "dpdk-testpmd"))
        tap.equal(second.wait(20), 0, "status of --dry-run of a second client")
        tap.contains(second.output, f"device: {NIC}, which another client has", "--dry-run")
        second = in_pod(*run("--", "dpdk-testpmd", "-l", "0", "-a", NIC, "--in-memory", "--", "-i"))
        second.wait_for("only a secondary process can start", 20)
        second.wait_for("another client of the broker has the device", 60)
        second.kill()
        status, output = process.run([lab.RUN, "--status"])
        tap.contains(output, f"{pid} dpdk-testpmd, uid {privileges.UID}", "--status")

        program.kill()
        settled_free(NIC)
        tap.check(not is_bus_master(NIC), "bus master is on after kill -9")
        tap.equal(opens.by(), [], "threads that opened pagemap")
        server.wait_for("has ended", 10)

        # The next client, told of the broker by its environment alone: the plugins.
        with privileges.reachable_plugins() as words:
            os.mkdir(f"{pod.ROOT}/run/plugins", 0o755)
            for path in filter(os.path.isfile, words):
                shutil.copy(path, f"{pod.ROOT}/run/plugins")
        plugins = [word for name in sorted(os.listdir(f"{pod.ROOT}/run/plugins"))
                   for word in ("-d", f"/run/plugins/{name}")]
        program = Testpmd(["-l", "0-1", *plugins, "--no-pci", *lab.allow(NIC), *lab.POOL_OPS],
                          prefix=pod.command(environment=[f"DPDK_IOMMUFD_BROKER={SOCKET}"]))
        program.start().wait_for_links(1)
        tap.equal(program.info(0)["Driver name"], "net_iommufd_igb", "driver")
        tap.equal(program.quit(), 0, "exit status")
        settled_free(NIC)


# Hands a bound cdev to a child that has nothing else of the client's, and ends.
LEAVER = f"""
import array, os, socket, struct, sys
REQUEST = "<IHHII64s16sII"
def message(kind, name=b""):
    return struct.pack(REQUEST, 0x4d4d4f49, 2, kind, 0, 0, name, b"", 0, 0)
session = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
session.connect({SOCKET!r})
assert struct.unpack("<IHHiI", session.recv(16))[3] == 0
mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
session.sendmsg([message(1)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [theirs.fileno()]))])
theirs.close()
def ask(kind, name=b"", fd=-1):
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))] if fd >= 0 else []
    mine.sendmsg([message(kind, name)], rights)
    data, ancillary, _, _ = mine.recvmsg(64, socket.CMSG_SPACE(4))
    got = array.array("i")
    for _, _, rest in ancillary:
        got.frombytes(rest[:4])
    return struct.unpack("<IHHiI", data)[3], got[0] if got else -1
name = sys.argv[1].encode()
error, iommu = ask(2)
assert error == 0
assert ask(3, name)[0] == 0
error, cdev = ask(5, name, iommu)
print("bound", error, flush=True)
if error == 0 and os.fork() == 0:
    for one in (session, mine):
        one.close()
    os.close(iommu)
    print("left", flush=True)
    import time
    time.sleep(600)
"""


@tap.test("a child that keeps the device beyond its client's end: nobody else gets it before it is gone")
def leaver():
    name = os.path.basename(lab.cdev_of(NIC))
    with serving(NIC) as server:
        leaving = process.Process([*privileges.user(), "python3", "-c", LEAVER, name])
        leaving.wait_for("left", 20)
        server.wait_for("has ended", 10)
        status, output = process.run([*privileges.user(), "python3", "-c", LEAVER, name])
        tap.equal(status, 0, f"status:\n{output}")
        tap.contains(output, "bound -22", "the next client while the child lives")
        kill_holders(NIC)
        tap.check(not is_bus_master(NIC), "bus master is on")
        after = process.Process([*privileges.user(), "python3", "-c", LEAVER, name])
        after.wait_for("bound 0", 20)
        after.wait_for("left", 20)  # or its child would be made after its holders were counted
        kill_holders(NIC)


@tap.test("who is served: the users named, at a path that none of them can exchange")
def refused():
    with serving(NIC):
        status, output = process.run([lab.RUN, "--connect", SOCKET, "--dry-run", "--", "true"])
        tap.equal(status, 1, "status for root")
        tap.contains(output, "it is for others", "root, who was not named")
        words = [word.replace("=1000", "=1001") for word in privileges.user()]
        status, output = process.run([*words, *run("--dry-run", "--", "true")])
        tap.equal(status, 1, "status for uid 1001")
        tap.contains(output, "it is for others", "uid 1001")
        status, output = process.run([*privileges.user(), *run("--dry-run", "--", "true")])
        tap.equal(status, 0, f"status for uid 1000:\n{output}")
        status, output = process.run(
            [*privileges.user(), *run("--device", OTHER, "--dry-run", "--", "true")])
        tap.contains(output, f"was started without {OTHER}", "another device")
        status, output = process.run([lab.RUN, "--serve", SOCKET, "--device", NIC])
        tap.contains(output, "another process serves it", "a second server")
        os.mkdir("/run/labtest-1000")
        os.chown("/run/labtest-1000", privileges.UID, privileges.UID)
        try:
            for folder in ("/run/labtest-1000", "/run/labtest-1000/deeper", "/tmp"):
                status, output = process.run([lab.RUN, "--serve", f"{folder}/broker", "--device",
                                              NIC])
                tap.equal(status, 1, f"status of a server below {folder}")
            tap.equal(os.listdir("/run/labtest-1000"), [], "what is in the user's folder")
        finally:
            shutil.rmtree("/run/labtest-1000")
    status, output = process.run([*privileges.user(), *run("--dry-run", "--", "true")])
    tap.contains(output, "there is none", "without a server")


@tap.test("the server: two capabilities beside CAP_SYS_RAWIO, and its end is its brokers'")
def server_itself():
    with serving(NIC, OTHER) as server:
        wanted = f"{privileges.SYS_RAWIO | 1 << 24 | 2:016x}"  # CAP_SYS_RESOURCE, CAP_DAC_OVERRIDE
        tap.equal(memory.status(server.pid, "CapEff"), wanted, "CapEff")
        client = process.Process([*privileges.user(), *run("--device", OTHER, "--", "sh", "-c",
                                                           "echo started; read line; echo over")])
        client.wait_for("started", 20)
        broker = pod.pid_of("iommufd-broker")
        tap.equal(memory.status(broker, "PPid"), str(server.pid), "the broker's parent")
        tap.equal(memory.status(broker, "CapEff"), wanted, "the broker's CapEff")
    tap.check(not os.path.exists(f"/proc/{broker}"), "a broker is left behind")
    client.send("\n")
    tap.equal(client.wait(10), 0, "status of its client")


tap.main()
