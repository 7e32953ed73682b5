#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer --timeout 300
"""dpdk-iommufd-run as root against an unprivileged user who makes programs, links, mounts, an
environment and messages: no file of root's changes, nothing of his runs as root, and whoever
else uses the machine goes on."""

import array
import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import time

from labtest import lab, memory, privileges, process, stock, tap

NIC, OTHER = lab.NICS[:2]
MINE = f"/run/labtest-{privileges.UID}"
CANARY = "/run/labtest-roots"
STOLEN = f"{MINE}/stolen"
REQUEST = "<IHHII64s16sII"  # bus/core/broker/protocol.hpp
MAGIC, VERSION = 0x4d4d4f49, 2
CONNECT, OPEN_IOMMU, OPEN_DEVICE, GET_PA, BIND_DEVICE = 1, 2, 3, 4, 5


@contextlib.contextmanager
def folder():
    """A folder of the user's, and files of root's that must stay as they are."""
    for path in (MINE, CANARY):
        shutil.rmtree(path, ignore_errors=True)
        os.mkdir(path, 0o755)
    os.chown(MINE, privileges.UID, privileges.UID)
    os.mkdir(f"{CANARY}/folder")
    lab.write(f"{CANARY}/folder/file", "root's")
    before = snapshot()
    try:
        yield
        stock.settle()
        tap.equal(snapshot(), before, "what is root's")
        tap.check(not os.path.exists("/run/dpdk-iommufd"), "/run/dpdk-iommufd is left behind")
    finally:
        process.kill_all()
        while process.run(["umount", "-l", f"{MINE}/huge"])[0] == 0:
            pass
        for path in (MINE, CANARY):
            shutil.rmtree(path, ignore_errors=True)


def snapshot():
    paths = [CANARY, "/dev/iommu", "/dev/hugepages", "/dev/vfio/devices", "/etc", "/run", "/root",
             *(lab.cdev_of(nic) for nic in lab.NICS)]
    paths += [os.path.join(at, name) for at, folders, files in os.walk(CANARY)
              for name in folders + files]
    return {path: tuple(getattr(os.lstat(path), f"st_{field}") for field in ("mode", "uid", "gid"))
            for path in paths}


def program(name, text, mode=0o755):
    path = f"{MINE}/{name}"
    lab.write(path, text)
    os.chown(path, privileges.UID, privileges.UID)
    os.chmod(path, mode)
    return path


def with_interpreter(path):
    """An ELF file, /bin/true, that names another interpreter."""
    with open("/bin/true", "rb") as file:
        image = bytearray(file.read())
    at = image.index(b"/lib64/ld-linux-x86-64.so.2\0")
    image[at:at + len(path) + 1] = path.encode() + b"\0"
    target = f"{MINE}/program"
    with open(target, "wb") as file:
        file.write(image)
    os.chmod(target, 0o755)
    return target


@tap.test("programs: an interpreter of the user's is never root's to run")
def interpreters():
    with folder():
        os.symlink(MINE, "/run/m")  # a name that fits in the place of the true one
        try:
            program("i", f"#!/bin/sh\nid -u >>{STOLEN}\nchmod 666 {STOLEN}\nsleep 30\n")
            elf = with_interpreter("/run/m/i")
            for options in (["--dry-run"], []):
                for user in (["--user", str(privileges.UID)], []):
                    start = time.monotonic()
                    status, output = process.run([lab.RUN, *options, *user, "--device", NIC, "--",
                                                  elf], timeout=5 if options else 60)
                    tap.note(f"{options} {user}: status {status} after "
                             f"{time.monotonic() - start:.1f} s: {output.strip()[-200:]}")
                    ran = lab.read(STOLEN).split() if os.path.exists(STOLEN) else []
                    # The kernel takes no script for an interpreter: nobody ever runs it.
                    tap.equal(ran, [], "ids that its interpreter has run with")
                    stock.settle()
        finally:
            os.unlink("/run/m")


RACER = f"""
import os
os.chdir({MINE!r})
while True:
    for source, target in (("home", "away"), ("decoy", "home"), ("home", "decoy"),
                           ("away", "home")):
        try:
            os.rename(source, target)
        except OSError:
            pass
"""


@tap.test("links: a mount point that is exchanged all the time hides and changes nothing of root's")
def links():
    with folder():
        # The user owns the folder that the one of the mount point is in.
        for name in ("home", "decoy"):
            os.mkdir(f"{MINE}/{name}")
            os.chown(f"{MINE}/{name}", privileges.UID, privileges.UID)
        os.mkdir(f"{MINE}/home/huge")
        os.symlink(f"{CANARY}/folder", f"{MINE}/decoy/huge")
        tap.equal(process.run(["mount", "-t", "hugetlbfs", "none", f"{MINE}/home/huge"])[0], 0,
                  "mount")
        racer = subprocess.Popen([*privileges.user(), "python3", "-c", RACER])
        try:
            for _ in range(15):
                status, output = process.run([*stock.run(NIC), "cat", f"{CANARY}/folder/file"])
                tap.equal(status, 0, f"status:\n{output}")
                tap.contains(output, "root's", "what the command sees of root's")
        finally:
            racer.kill()
            racer.wait()
            for name in ("home", "away", "decoy"):
                process.run(["umount", "-l", f"{MINE}/{name}/huge"])


@tap.test("the runtime folder: links in it are not followed when it goes")
def runtime():
    with folder():
        status, output = process.run([*stock.run(NIC), "sh", "-c",
                                      f"ln -s {CANARY}/folder $XDG_RUNTIME_DIR/link; "
                                      f"ln -s {CANARY}/folder/file $XDG_RUNTIME_DIR/file; "
                                      "mv $XDG_RUNTIME_DIR /run/dpdk-iommufd/x; id -u"])
        tap.contains(output, str(privileges.UID), f"the command ({status})")
        tap.contains(output, "Permission denied", "the move of the folder")


@tap.test("mounts: another user's hugetlbfs, one below a tmpfs, one read-only, a blank in the path")
def mounts():
    with folder():
        os.mkdir(f"{MINE}/huge")
        os.mkdir(f"{MINE}/a b")
        commands = [
            ["-t", "hugetlbfs", "-o", "uid=107,gid=107,mode=0700", "none", f"{MINE}/huge"],
            ["-t", "hugetlbfs", "none", f"{MINE}/a b"]]
        over = [[], ["-o", "remount,ro", f"{MINE}/huge"],
                ["-t", "tmpfs", "none", f"{MINE}/huge"]]
        for command in commands:
            tap.equal(process.run(["mount", *command])[0], 0, f"mount {command}")
        try:
            for more in over:
                if more:
                    tap.equal(process.run(["mount", *more])[0], 0, f"mount {more}")
                owner = os.stat(f"{MINE}/huge").st_uid
                status, output = process.run([*stock.run(NIC), "sh", "-c", "echo $((6 * 7))"])
                tap.equal(status, 0, f"status with {more}:\n{output}")
                tap.contains(output, "42", "the command")
                tap.equal(os.stat(f"{MINE}/huge").st_uid, owner, "owner of the mount")
                stock.settle()
        finally:
            process.run(["umount", "-l", f"{MINE}/a b"])


@tap.test("libraries: what the user's program loads is loaded by him alone")
def libraries():
    with folder():
        source = program("library.c", f"""#include <stdio.h>
#include <unistd.h>
__attribute__((constructor)) static void start(void) {{
    FILE *f = fopen("{STOLEN}", "a");
    if (f) {{ fprintf(f, "%d\\n", getuid()); fclose(f); }}
}}
""")
        main = program("main.c", "int main(void) { return 0; }\n")
        library = f"{MINE}/librte_eal.so.23"
        for command in (["cc", "-shared", "-fPIC", "-o", library, source],
                        ["cc", "-Wl,--no-as-needed", "-o", f"{MINE}/application", main, library,
                         f"-Wl,-rpath,{MINE}"]):
            status, output = process.run(command, timeout=60)
            tap.equal(status, 0, f"status of the compiler:\n{output}")
        lab.write(STOLEN, "")
        os.chmod(STOLEN, 0o666)
        environment = [f"XDG_RUNTIME_DIR={CANARY}", f"RUNTIME_DIRECTORY={CANARY}",
                       "DPDK_IOMMUFD_BROKER=0", f"TMPDIR={MINE}"]
        for options in (["--dry-run"], []):
            status, output = process.run(["env", *environment, lab.RUN, *options, "--user",
                                          str(privileges.UID), "--device", NIC, "--",
                                          f"{MINE}/application"])
            tap.equal(status, 0, f"status:\n{output}")
            tap.equal(set(lab.read(STOLEN).split()), set() if options else {str(privileges.UID)},
                      f"ids that it has run with, {options}")


def broker():
    """A command of the user's that is only the broker's client: its socket, by SCM_RIGHTS."""
    here = f"{MINE}/socket"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(here)
    os.chmod(here, 0o777)
    listener.listen(1)
    command = process.Process([*stock.run(NIC), "python3", "-c", f"""
import array, os, socket
s = socket.socket(socket.AF_UNIX)
s.connect({here!r})
fd = int(os.environ["DPDK_IOMMUFD_BROKER"])
s.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
print("sent", flush=True)
input()
"""])
    listener.settimeout(20)
    connection, _ = listener.accept()
    return command, take_fd(connection)


def take_fd(connection):
    _, ancillary, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(4))
    numbers = array.array("i")
    for _, _, data in ancillary:
        numbers.frombytes(data[:4])
    return numbers[0] if numbers else -1


def as_user(function):
    """In a child that is the user: SO_PEERCRED is of who makes a channel."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(*[privileges.UID] * 3)
            os.setresuid(*[privileges.UID] * 3)
            os._exit(function())
        except BaseException as error:  # pylint: disable=broad-exception-caught
            print(f"# {error!r}", flush=True)
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def message(kind, ioas=0, count=0, name=b"", queries=()):
    return struct.pack(REQUEST, MAGIC, VERSION, kind, ioas, count, name, b"", 0, 0) + b"".join(
        struct.pack("<QQ", *query) for query in queries)


def channel(inherited):
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    mine.settimeout(10)
    inherited.sendmsg([message(CONNECT)],
                      [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [theirs.fileno()]))])
    theirs.close()
    return mine


def ask(connection, text, fd=-1):
    """(error, descriptor); None if the broker has closed the channel."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))] if fd >= 0 else []
    try:
        connection.sendmsg([text], rights)
        data, ancillary, _, _ = connection.recvmsg(8192, socket.CMSG_SPACE(4))
    except OSError:
        return None
    if len(data) < 16:
        return None
    got = array.array("i")
    for _, _, rest in ancillary:
        got.frombytes(rest[:4])
    return struct.unpack("<IHHiI", data[:16])[3], got[0] if got else -1


@tap.test("messages: the broker opens the devices it was given, and answers nonsense by the end")
def messages():
    with folder():
        command, fd = broker()
        inherited = socket.socket(fileno=fd)

        def client():
            mine = channel(inherited)
            error, iommu = ask(mine, message(OPEN_IOMMU))
            if error != 0 or iommu < 0:
                return 1
            name = os.path.basename(lab.cdev_of(NIC)).encode()
            if ask(mine, message(OPEN_DEVICE, name=name)) != (0, -1):
                return 2
            if ask(mine, message(BIND_DEVICE, name=name))[0] != -9:  # EBADF: without an iommufd
                return 8
            error, cdev = ask(mine, message(BIND_DEVICE, name=name), iommu)
            if error != 0 or cdev < 0:
                return 9
            other = os.path.basename(lab.cdev_of(OTHER)).encode()
            for wrong in (other, b"../../sda", b"../../../etc/shadow", b"", b"/dev/mem"):
                for kind in (OPEN_DEVICE, BIND_DEVICE):
                    error, got = ask(mine, message(kind, name=wrong), iommu)
                    if error == 0 or got >= 0:
                        return 3
            null = os.open("/dev/null", os.O_RDWR)
            if ask(mine, message(GET_PA, 1, 1, queries=[(0, 1)]), null)[0] != -9:  # EBADF
                return 4
            # An IOAS that is not there: asked of the kernel, and nothing comes of it.
            if ask(mine, message(GET_PA, 1, 1, queries=[(0, 1)]), iommu)[0] != 0:
                return 5
            for nonsense in (b"", b"x" * 100, message(99), message(GET_PA, 1, 256),
                             message(GET_PA, 1, 0xffffffff, queries=[(0, 1)]),
                             os.urandom(4096), message(OPEN_IOMMU) + b"x"):
                if nonsense and ask(channel(inherited), nonsense, iommu) is not None:
                    return 6
            for _ in range(2000):
                with contextlib.suppress(OSError):
                    inherited.send(os.urandom(80), socket.MSG_DONTWAIT)
            return 0 if ask(channel(inherited), message(OPEN_IOMMU))[0] == 0 else 7

        tap.equal(as_user(client), 0, "what the user's client found")
        # Root's own process is not the user's: its channel is closed.
        tap.equal(ask(channel(inherited), message(OPEN_IOMMU)), None, "a channel of another user's")
        inherited.close()
        command.send("\n")
        tap.equal(command.wait(10), 0, "status of the command")


@tap.test("the broker: CAP_SYS_RAWIO and one more, no file of the caller's, no child of the command's")
def what_it_has():
    with folder():
        command, fd = broker()
        os.close(fd)
        found = [pid for pid in filter(str.isdigit, os.listdir("/proc"))
                 if _comm(pid) == "iommufd-broker"]
        tap.equal(len(found), 1, "brokers")
        pid = found[0]
        tap.equal(memory.status(pid, "CapEff"), f"{privileges.SYS_RAWIO | 2:016x}", "CapEff")
        tap.equal(memory.status(pid, "NoNewPrivs"), "1", "NoNewPrivs")
        targets = sorted(os.readlink(f"/proc/{pid}/fd/{name}").split(":")[0]
                         for name in os.listdir(f"/proc/{pid}/fd"))
        tap.check(set(targets) <= {"/dev/null", "socket", "/run/dpdk-iommufd",
                                   f"/run/dpdk-iommufd/user-{privileges.UID}.lock"}, targets)
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(int(pid), signum)
        tap.equal(_comm(pid), "iommufd-broker", "the broker after signals to its group")
        parents = [lab.read(f"/proc/{name}/stat").rpartition(")")[2].split()[1]
                   for name in filter(str.isdigit, os.listdir("/proc"))
                   if _comm(name).startswith("iommufd-")]
        tap.check(str(command.pid) not in parents, "a child of the command's")
        command.send("\n")
        tap.equal(command.wait(10), 0, "status of the command")
        stock.settle()
        tap.equal(_comm(pid), "", "the broker after the command's end")


def _comm(pid):
    try:
        return lab.read(f"/proc/{pid}/comm")
    except OSError:
        return ""


@tap.test("a dead broker is told; what is mapped goes on")
def dead_broker():
    program_ = stock.testpmd(NIC).start()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if _comm(pid) == "iommufd-broker":
            os.kill(int(pid), signal.SIGKILL)
    program_.wait_for_links(1)
    program_.commands("start", "stop", "port stop 0")
    output = program_.command("port detach 0") + program_.command(f"port attach {NIC}")
    tap.contains(output, "has ended", "testpmd")
    tap.equal(program_.quit(), 0, "exit status")
    stock.clean_up()


tap.main()
