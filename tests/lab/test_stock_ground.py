#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer --extra-device e1000e,netdev=hub --extra-device e1000,netdev=hub --extra-device virtio-net-pci,netdev=hub,disable-legacy=on --extra-device vmxnet3,netdev=hub
"""dpdk-iommufd-run on bad ground: each missing precondition gives one sentence and status 1, and
nothing is bound, changed or started."""

import os
import re
import signal
import socket
import struct
import time

from labtest import lab, memory, privileges, process, stock, tap

NIC = lab.NICS[0]
HUGEPAGES = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
STARTED = "/run/labtest-started"


def refused(message, *options, prefix=(), command=("touch", STARTED)):
    before = lab.state()
    status, output = process.run([*prefix, lab.RUN, *options, "--", *command], timeout=20)
    tap.equal(status, 1, f"status:\n{output}")
    tap.contains(output, message, "dpdk-iommufd-run")
    tap.equal(len(output.strip().splitlines()), 1, f"lines of {output!r}")
    tap.check(not os.path.exists(STARTED), "the command was started")
    tap.check(not os.path.exists("/run/dpdk-iommufd"), "/run/dpdk-iommufd was made")
    tap.equal(lab.state(), before, "the state of the guest")


@tap.test("devices: none such, another driver, none, no-IOMMU mode off")
def devices():
    refused("there is no PCI device 0000:77:00.0", "--device", "77:00.0")
    with lab.bound(NIC, "igb"):
        refused("the kernel driver 'igb' holds it: bind it to vfio-pci", "--device", NIC)
    with lab.bound(NIC, None):
        refused("no kernel driver holds it: bind it to vfio-pci", "--device", NIC)
        with lab.parameter("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "N"):
            refused("vfio's no-IOMMU mode is off: set enable_unsafe_noiommu_mode=1", "--device",
                    NIC)
    with lab.bound(lab.NICS[0], None), lab.bound(lab.NICS[1], None):
        refused("no device is ready: bind one to vfio-pci")


@tap.test("nodes: no /dev/iommu, no cdev")
def nodes():
    with lab.hidden("/dev/iommu"):
        status, output = process.run([lab.RUN, "--", "true"])
        tap.equal(status, 1, "status")
        tap.contains(output, "the kernel has no iommufd", "dpdk-iommufd-run")
    with lab.hidden(lab.cdev_of(NIC)):
        status, output = process.run([lab.RUN, "--device", NIC, "--", "true"])
        tap.equal(status, 1, "status")
        tap.contains(output, f"the node {lab.cdev_of(NIC)} is missing", "dpdk-iommufd-run")


@tap.test("hugepages: none, no hugetlbfs")
def hugepages():
    number = lab.read(HUGEPAGES)
    lab.write(HUGEPAGES, "0")
    try:
        refused("there are no hugepages: 'echo 512", "--user", "1000")
    finally:
        lab.write(HUGEPAGES, number)
    tap.equal(lab.read(HUGEPAGES), number, "hugepages afterwards")
    process.run(["umount", "/dev/hugepages"])
    try:
        status, output = process.run([lab.RUN, "--", "true"])
    finally:
        process.run(["mount", "-t", "hugetlbfs", "-o", "pagesize=2M", "hugetlbfs",
                     "/dev/hugepages"])
    tap.equal(status, 1, "status")
    tap.contains(output, "no hugetlbfs is mounted", "dpdk-iommufd-run")


@tap.test("privileges: a user without capabilities, root without one of the two")
def capabilities():
    refused("make it readable and writeable, or run this as root with --user",
            prefix=privileges.user())
    refused("CAP_SYS_RAWIO is missing", "--user", "1000",
            prefix=privileges.root_without("sys_rawio"))
    refused("RLIMIT_MEMLOCK cannot be raised", "--user", "1000",
            prefix=["prlimit", "--memlock=65536", *privileges.root_without("sys_resource")])
    refused("there is no user 'nobody-at-all'", "--user", "nobody-at-all")


@tap.test("--dry-run says what it would do, and does nothing")
def dry_run():
    before = lab.state()
    status, output = process.run([lab.RUN, "--dry-run", "--user", "1000", "--device", NIC, "--",
                                  "dpdk-testpmd", "-l", "0"])
    tap.equal(status, 0, "status")
    for part in ("dpdk-testpmd -l 0", lab.LIBRARY, "CAP_SYS_RAWIO", NIC, lab.cdev_of(NIC),
                 "/dev/hugepages"):
        tap.contains(output, part, "--dry-run")
    tap.check(not os.path.exists("/run/dpdk-iommufd"), "/run/dpdk-iommufd was made")
    tap.equal(lab.state(), before, "the state of the guest")


@tap.test("the exit status is the command's, and signals reach it")
def status_and_signals():
    for command, expected in (("exit 0", 0), ("exit 77", 77), ("kill -TERM $$", -15)):
        status, _ = process.run([*stock.run(), "sh", "-c", command])
        tap.equal(status, expected, command)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        program = process.Process([*stock.run(), "sh", "-c",
                                   f"trap 'exit 42' {number}; echo ready; while :; do sleep .1; done"])
        program.wait_for("ready", 10)
        os.kill(program.pid, number)
        tap.equal(program.wait(10), 42, f"status after signal {number}")
    # As a service manager and a terminal send it: to all of the group, whoever is in it.
    program = process.Process([*stock.run(), "sh", "-c", "trap 'echo got it' TERM; echo ready; "
                               "while :; do sleep .1; done"])
    program.wait_for("ready", 10)
    os.killpg(program.pid, signal.SIGTERM)
    program.wait_for("got it", 10)
    time.sleep(0.5)
    tap.equal(program.output.count("got it"), 1, "how often one signal to the group has come")
    program.kill()
    stock.settle()


@tap.test("a user who has the nodes and the ambient capabilities needs no root, as in a unit")
def no_root():
    command = [*privileges.user("sys_rawio", "ipc_lock"), *stock.run(NIC, user=""), "sh", "-c",
               "cat /proc/self/status; echo $LD_PRELOAD"]
    with privileges.owned("/dev/iommu", lab.cdev_of(NIC)):
        status, output = process.run(command)
        _, in_memory = process.run([*command, "--in-memory"])
        with privileges.owned("/dev/hugepages"):
            _, with_mount = process.run(command)
    tap.equal(status, 0, f"status:\n{output}")
    advice = "may not write to /dev/hugepages"
    tap.contains(output, advice, "dpdk-iommufd-run without the mount")
    for other in (in_memory, with_mount):
        tap.check(advice not in other, f"needless advice:\n{other}")
    wanted = f"{privileges.IPC_LOCK | privileges.SYS_RAWIO:016x}"  # his own, as they were
    for part in (f"CapEff:\t{wanted}", f"CapBnd:\t{wanted}", "Uid:\t1000\t1000", lab.LIBRARY):
        tap.contains(output, part, "the command")


@tap.test("in namespaces of its own, with a /dev of these nodes alone: testpmd forwards")
def container():
    nodes = ["/dev/iommu", lab.cdev_of(NIC), "/dev/null", "/dev/urandom"]
    script = "; ".join([
        "set -e", "mkdir -p /run/labtest-dev", "mount -t tmpfs tmpfs /run/labtest-dev",
        "mkdir -p /run/labtest-dev/vfio/devices /run/labtest-dev/hugepages",
        *(f"touch /run/labtest-dev{node[4:]} && mount --bind {node} /run/labtest-dev{node[4:]}"
          for node in nodes),
        "mount --bind /dev/hugepages /run/labtest-dev/hugepages",
        "mount --rbind /run/labtest-dev /dev", "mount -t proc proc /proc",
        " ".join([*map(str, stock.run(NIC)), "dpdk-testpmd", "-l", "0-1", "--in-memory", "-a", NIC, "--",
                  "--total-num-mbufs=4096", "--stats-period=1", "--tx-first"])])
    program = process.Process(["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork",
                               "--kill-child", "sh", "-c", script])
    program.wait_for(r"TX-packets: [1-9]", 60)
    program.kill()
    tap.equal(process.run([*stock.run(), "true"])[0], 0, "status of the next one")
    os.rmdir("/run/labtest-dev")


@tap.test("the plugins behind the prefix have no capability either")
def plugins():
    with privileges.reachable_plugins() as words:
        program = stock.Testpmd(["-l", "0-1", *words, "--no-pci", *lab.allow(NIC), *lab.POOL_OPS],
                                prefix=stock.run(NIC)).start()
        program.wait_for_links(1)
        tap.equal(program.info(0)["Driver name"], "net_iommufd_igb", "driver")
        tap.equal(memory.status(program.pid, "CapEff"), "0" * 16, "CapEff")
        tap.check(memory.pinned(program.pid) > 0, "nothing is pinned")
        tap.equal(program.quit(), 0, "exit status")
    stock.settle()


@tap.test("--keep-capability: that one, and nothing else")
def kept():
    status, output = process.run([lab.RUN, "--user", "1000", "--keep-capability", "net_admin",
                                  "--device", NIC, "--", "grep", "^Cap", "/proc/self/status"])
    tap.equal(status, 0, f"status:\n{output}")
    tap.equal(set(re.findall(r"Cap(?:Inh|Prm|Eff|Bnd|Amb):\t(\w+)", output)), {f"{1 << 12:016x}"},
              "capability sets")
    stock.settle()


@tap.test("without --user the command keeps what its caller has")
def caller():
    status, output = process.run([lab.RUN, "--device", NIC, "--", "grep", "^Cap",
                                  "/proc/self/status"])
    tap.equal(status, 0, f"status:\n{output}")
    tap.contains(output, re.search(r"CapEff:\t\w+", lab.read("/proc/self/status")).group(),
                 "the command")
    status, output = process.run([lab.RUN, "--device", NIC, "--", "chrt", "-f", "1", "nice", "-n",
                                  "-5", "python3", "-c", "import socket; "
                                  "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)"])
    tap.equal(status, 0, f"status of what needs root's rights:\n{output}")


NOTIFIER = r"""
import os, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))
print("pids", os.getpid(), os.environ["LISTEN_PID"], os.environ["WATCHDOG_PID"])
print("file", os.fstat(3).st_ino)
"""


@tap.test("a service manager's process, descriptor and notification are the command's")
def supervised():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        manager.settimeout(20)
        manager.bind("\0labtest-notify")
        # As systemd does: the descriptor is number 3, and the variables name this process.
        program = process.Process(
            ["sh", "-c", "export LISTEN_PID=$$ LISTEN_FDS=1 WATCHDOG_PID=$$; exec \"$@\" 3</etc/passwd",
             "sh", *stock.run(NIC), "python3", "-c", NOTIFIER],
            env={"NOTIFY_SOCKET": "@labtest-notify"})
        text, ancillary, _, _ = manager.recvmsg(100, socket.CMSG_SPACE(12))
        tap.equal(program.wait(20), 0, f"status:\n{program.output}")
    tap.equal(text, b"READY=1", "notification")
    sender = struct.unpack("3i", ancillary[0][2])
    tap.equal(sender[:2], (program.pid, privileges.UID), "who has sent it")
    tap.contains(program.output, "pids " + " ".join([str(program.pid)] * 3), "the command")
    tap.contains(program.output, f"file {os.stat('/etc/passwd').st_ino}", "its descriptor 3")
    stock.settle()


@tap.test("an interactive shell: ^C ends timeout(1) and what it runs")
def interrupt():
    shell = process.Process(["bash", "--norc", "-i"], env={"PS1": "shell> "})
    shell.wait_for("shell> ", 20)
    # Typed in two parts, so that the echo of a terminal is not taken for the answer.
    words = " ".join(map(str, stock.run(NIC)))
    shell.send(f"{words} timeout 200 sh -c 'echo re''ady; sleep 100'\n")
    shell.wait_for("ready", 30)
    shell.send("\x03")
    # The shell reads on when that has ended, not before.
    shell.send("echo al''ive\n")
    shell.wait_for("alive", 10)
    stock.settle()
    shell.send("exit\n")
    shell.wait(10)


@tap.test("what the caller has made odd: SIGCHLD, groups, a runtime folder, root's pages, no pool")
def odd_callers():
    ignore = ["python3", "-c", "import os, signal, sys; signal.signal(signal.SIGCHLD, "
              "signal.SIG_IGN); os.execvp(sys.argv[1], sys.argv[1:])"]
    status, output = process.run([*ignore, *stock.run(NIC), "sh", "-c", "exit 42"])
    tap.equal(status, 42, f"status with SIGCHLD ignored:\n{output}")
    stock.settle()

    # The user's groups, and none of the caller's.
    lab.write("/run/labtest-group", lab.read("/etc/group") + "\nlabtest:x:4242:nobody\n")
    tap.equal(process.run(["mount", "--bind", "/run/labtest-group", "/etc/group"])[0], 0, "mount")
    try:
        status, output = process.run(["setpriv", "--groups=4343", *stock.run(NIC, user="nobody"),
                                      "id", "-G"])
    finally:
        process.run(["umount", "/etc/group"])
    tap.equal(status, 0, f"status:\n{output}")
    tap.equal(output.split()[-2:], ["65534", "4242"], "groups of the command")
    stock.settle(65534)

    # What root's --huge-unlink=never has left is not in the user's way.
    lab.write("/dev/hugepages/rtemap_0", "")
    try:
        status, output = process.run(["env", "RUNTIME_DIRECTORY=/run/labtest-roots",
                                      *stock.run(NIC), "sh", "-c",
                                      "ls /dev/hugepages | wc -l; echo [$RUNTIME_DIRECTORY]; "
                                      "touch /dev/hugepages/rtemap_0 && echo $XDG_RUNTIME_DIR"])
    finally:
        os.unlink("/dev/hugepages/rtemap_0")
    tap.equal(status, 0, f"status:\n{output}")
    tap.equal(output.split()[-3:], ["0", "[]", "/run/dpdk-iommufd/runtime-1000"],
              "files, RUNTIME_DIRECTORY, XDG_RUNTIME_DIR")
    stock.settle()

    number, more = lab.read(HUGEPAGES), HUGEPAGES.replace("nr_", "nr_overcommit_")
    lab.write(HUGEPAGES, "0")
    lab.write(more, "8")
    try:
        status, output = process.run([*stock.run(NIC), "true"])
    finally:
        lab.write(more, "0")
        lab.write(HUGEPAGES, number)
    tap.equal(status, 0, f"status with overcommitted hugepages alone:\n{output}")
    stock.settle()

    # What an ended process has left in files is what EAL takes next, and a secondary takes none.
    left = "/dev/hugepages/labtest-left"
    tap.equal(process.run(["fallocate", "-l", str(lab.hugepages_free() * memory.HUGEPAGE), left])[0],
              0, "status of fallocate")
    try:
        tap.equal(lab.hugepages_free(), 0, "free hugepages")
        status, output = process.run([*stock.run(NIC), "true"])
    finally:
        os.unlink(left)
    tap.equal(status, 0, f"status without a free hugepage:\n{output}")
    stock.settle()


@tap.test("a program built with AddressSanitizer starts, and finds what it is for")
def sanitized():
    source, program = "/run/labtest-asan.c", "/run/labtest-asan"
    lab.write(source, "#include <stdlib.h>\n#include <unistd.h>\nint main(int n, char **v) {\n"
                      "    char *p = malloc(8);\n    (void)v;\n"
                      "    return write(1, \"up\\n\", 3) != 3 || (n > 1 && p[8 * n - 8]);\n}\n")
    status, output = process.run(["cc", "-g", "-fsanitize=address", "-Wl,--no-as-needed", "-o",
                                  program, source], timeout=60)
    tap.equal(status, 0, f"status of the compiler:\n{output}")
    status, output = process.run(["env", "ASAN_OPTIONS=detect_leaks=0", *stock.run(NIC), program])
    tap.equal(status, 0, f"status:\n{output}")
    status, output = process.run(["env", "ASAN_OPTIONS=detect_leaks=0", *stock.run(NIC), program,
                                  "1"])
    tap.check(status != 0, "negative control: its status after a read behind the end")
    tap.contains(output, "heap-buffer-overflow", "negative control")
    stock.settle()
    os.unlink(program)
    os.unlink(source)


@tap.test("two users at once on two NICs: each has his own, and nothing changes its owner")
def two_users():
    before = lab.state()
    programs = [process.Process([*stock.run(nic, user=user), "sh", "-c",
                                 "echo ready; touch /dev/hugepages/mine; read line; "
                                 "ls -n /dev/hugepages"])
                for nic, user in zip(lab.NICS, ("1000", "1001"))]
    for program, user in zip(programs, (1000, 1001)):
        program.wait_for("ready", 10)
        tap.equal(os.stat(f"/run/dpdk-iommufd/runtime-{user}").st_uid, user, "runtime folder")
    tap.equal(lab.state(), before, "the state of the guest meanwhile")
    for program, user in zip(programs, ("1000", "1001")):
        program.send("\n")
        tap.equal(program.wait(10), 0, f"status:\n{program.output}")
        tap.check(re.search(rf"\b{user}\b.* mine", program.output), program.output)
        tap.equal(program.output.count("mine"), 1, "files named mine")
        stock.settle(user)
    tap.check(not os.path.exists("/run/dpdk-iommufd"), "/run/dpdk-iommufd is left behind")


@tap.test("two commands of one user share his hugetlbfs, and the last one removes it")
def shared():
    first = process.Process([*stock.run(), "sh", "-c",
                             "touch /dev/hugepages/from_first; echo ready; read line"])
    first.wait_for("ready", 10)
    second = process.Process([*stock.run(), "sh", "-c", "ls /dev/hugepages; echo ready; read line"])
    second.wait_for("ready", 10)
    tap.contains(second.output, "from_first", "the second one's hugetlbfs")
    first.send("\n")
    tap.equal(first.wait(10), 0, "status of the first")
    tap.check(os.path.exists("/run/dpdk-iommufd/runtime-1000"), "it was taken from the second")
    second.kill()  # by SIGKILL
    stock.settle()
    tap.check(not os.path.exists("/run/dpdk-iommufd"), "/run/dpdk-iommufd is left behind")


tap.main()
