# SPDX-License-Identifier: BSD-3-Clause
"""Command line of the lab. Started by devtools/lab.sh, which prepares what it needs."""

import argparse
import contextlib
import glob
import os
import secrets
import shutil
import subprocess
import sys
import termios
import tty

import initrd
from supervisor import FAILED, LabError, RunFolder, Supervisor
from vm import Machine, OptionError, QEMU

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("DPDK_IOMMUFD_BUILD", os.path.join(TREE, "build"))
# Covered with a tmpfs in the guest, whose root is the host's, read-only.
COVERED = ["/run", "/tmp", "/var/tmp", "/mnt"]
KVM_PROBE_LIMIT = 15  # seconds
# What Debian's kernel has as modules and the lab's own has built in.
DRIVERS = ["igb", "e1000e", "virtio_net", "vmxnet3", "overlay", "uio_pci_generic", "vfio-pci"]

DESCRIPTION = """\
Runs a command in a virtual machine with Linux >= 7.3 and emulated Intel 82576 NICs.

The guest's root is this machine's /, read-only, so it runs what is installed and built
here, at the same paths. /run, /tmp, /var/tmp and /mnt are empty and writable there, and
/run/job is the folder given by --share. The guest has no network but the hub its NICs
share."""

EXAMPLES = """\
The command gets the caller's working directory, an empty standard input, and:
  LAB_NICS    PCI addresses of the test NICs, bound to vfio-pci: "0000:01:00.0 0000:02:00.0"
  LAB_PEER    network interface of the peer (with --peer): peer0
  LAB_EXTRA   PCI addresses of --extra-device, in order
  LAB_TREE    the project's tree
  LAB_JOB     the writable folder: /run/job
  LAB_MODULES the root of the kernel's modules, for modprobe --dirname (with --debian-kernel)

Exit status: the command's own (128+N if signal N ended it); 124 after --timeout;
125 if the lab or the guest's kernel failed; 123 if the command has ended but the kernel has
complained (WARNING, BUG, hung task, lockup, stall, KASAN, UBSAN, corrupted memory); 122 if the
guest did not boot or stood still and nothing says why; 2 if the options are wrong.

examples:
  devtools/lab.sh run -- uname -r
  devtools/lab.sh run --nics 2 -- sh -c 'echo $LAB_NICS; ls /dev/vfio/devices'
  devtools/lab.sh run --nics 1 --peer --timeout 60 -- ip -brief link
  devtools/lab.sh run --extra-device virtio-net-pci,netdev=hub -- sh -c 'ls $LAB_EXTRA'
  devtools/lab.sh run --memory 4096 --kernel-argument hugepagesz=1G \\
      --kernel-argument hugepages=1:1 -- cat /sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages
  devtools/lab.sh run --debian-kernel modules --nics 1 -- ls -l /dev/iommu /dev/vfio/devices
  devtools/lab.sh shell --nics 2"""


def command_line():
    parser = argparse.ArgumentParser(
        prog="lab.sh", description=DESCRIPTION, epilog=EXAMPLES, allow_abbrev=False,
        usage="lab.sh run [options] -- COMMAND...\n       lab.sh shell [options]",
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["run", "shell"])
    machine = parser.add_argument_group("the machine")
    machine.add_argument("--nics", type=int, default=0, metavar="N",
                         help="test NICs (igb) on one hub [0]")
    machine.add_argument("--peer", action="store_true",
                         help="one more NIC on the hub, driven by the guest's kernel")
    machine.add_argument("--extra-device", action="append", default=[], metavar="ARGS",
                         help="a QEMU -device of your own, on its own root port; "
                              "netdev=hub puts it on the hub, netdev=hub1 on another one")
    machine.add_argument("--cpus", type=int, default=2, metavar="N", help="virtual CPUs [2]")
    machine.add_argument("--memory", type=int, default=3072, metavar="M", help="MiB [3072]")
    machine.add_argument("--numa", type=int, default=2, metavar="N", help="NUMA nodes [2]")
    machine.add_argument("--hugepages", type=int, default=640, metavar="N",
                         help="hugepages of 2 MiB, spread over the nodes [640]")
    machine.add_argument("--kernel-argument", action="append", default=[], metavar="ARG",
                         help="one more word for the kernel's command line, behind the lab's own "
                              "(hugepagesz=1G, movablecore=1G, ...); may be given again")
    machine.add_argument("--debug-memory", action="store_true",
                         help="the kernel overwrites and unmaps free pages and checks its slabs")
    machine.add_argument("--iommu", action="store_true", help="with an (Intel) IOMMU")
    machine.add_argument("--accel", choices=["auto", "kvm", "tcg"], default="auto",
                         help="auto takes KVM only if a guest boots under it [auto]")
    machine.add_argument("--kernel", metavar="FILE", default=os.environ.get("LAB_KERNEL"),
                         help="boot this bzImage instead of the lab's own")
    machine.add_argument("--debian-kernel", choices=["modules", "packaged"],
                         help="boot Debian 13's kernel instead: with the modules of kernel/, as "
                              "dpdk-iommufd-modules installs them, or as packaged (downloaded and "
                              "built once, about 4 min)")
    machine.add_argument("--qemu", choices=["trixie"],
                         help="run it with that Debian's QEMU instead of this machine's "
                              "(downloaded and unpacked once)")
    guest = parser.add_argument_group("the guest")
    guest.add_argument("--no-unsafe", action="store_true",
                       help="leave vfio's enable_unsafe_noiommu_mode off")
    guest.add_argument("--no-bind", action="store_true",
                       help="leave the test NICs without a driver")
    guest.add_argument("--userland", choices=["trixie", "sid"],
                       help="run the command in that Debian's user space, with its DPDK, "
                            "instead of this machine's (debootstrapped once, about 5 min)")
    guest.add_argument("--share", metavar="DIR", help="folder to see, writable, as /run/job")
    guest.add_argument("--env", action="append", default=[], metavar="NAME=VALUE",
                       help="set a variable for the command")
    guest.add_argument("--timeout", type=float, default=0, metavar="S",
                       help="seconds the command may take [no limit]")
    guest.add_argument("--console", metavar="FILE", help="keep the kernel's console output")
    return parser


def parse(arguments):
    parser = command_line()
    ours, separator, command = arguments, None, []
    if "--" in arguments:
        at = arguments.index("--")
        ours, separator, command = arguments[:at], "--", arguments[at + 1:]
    options = parser.parse_args(ours)
    if options.action == "run" and not command:
        parser.error("no command: lab.sh run [options] -- COMMAND...")
    if options.action == "shell" and separator:
        parser.error("shell takes no command: use lab.sh run -- COMMAND...")
    if options.timeout < 0:
        parser.error("--timeout must not be negative")
    if any("=" not in assignment for assignment in options.env):
        parser.error("--env takes NAME=VALUE")
    if options.debian_kernel and options.kernel != os.environ.get("LAB_KERNEL"):
        parser.error("--debian-kernel goes without --kernel")
    if options.share and not os.path.isdir(options.share):
        parser.error(f"--share {options.share} is not a folder")
    try:
        machine_of(options, "tcg").check()
    except OptionError as error:
        parser.error(str(error))
    return options, command


def machine_of(options, accel):
    return Machine(
        kernel=f"{debian_kernel()}/vmlinuz" if options.debian_kernel else options.kernel, nics=options.nics, peer=options.peer,
        extra_devices=options.extra_device, cpus=options.cpus, memory=options.memory,
        numa=options.numa, hugepages=options.hugepages, iommu=options.iommu,
        debug_memory=options.debug_memory,
        more_kernel_arguments=options.kernel_argument, unsafe_noiommu=not options.no_unsafe,
        accel=accel, qemu=os.environ.get("LAB_QEMU", QEMU))


def debian_kernel():
    """The folder that devtools/lib/debian_kernel.sh has made."""
    return os.environ.get("LAB_DEBIAN_KERNEL", "")


def build_outside():
    """The build folder, if it is not below the tree and there is one."""
    return BUILD if os.path.isdir(BUILD) and not BUILD.startswith(TREE + "/") else ""


def covered(*kept):
    """COVERED, and the folders above what is kept that only their owner may enter (a home): the
    unprivileged runs of the guest have to reach the tree and the build."""
    folders = list(COVERED)
    for path in kept:
        parents = [path[:at] for at, sign in enumerate(path) if sign == "/" and at]
        closed = [parent for parent in parents if not os.stat(parent).st_mode & 0o001]
        if closed and not any(f"{path}/".startswith(folder + "/") for folder in folders):
            folders.append(closed[0])
    return folders


def settings_of(options, machine, command, end_mark):
    size = shutil.get_terminal_size()
    peer_slot = machine.peer_slot()
    environment = ["TERM=" + os.environ.get("TERM", "dumb")] + options.env
    return {
        "command": command,
        "directory": os.getcwd(),
        "tree": TREE,
        "build": build_outside(),
        "environment": environment,
        "nic_slots": [f"{slot:02x}" for slot in machine.nic_slots()],
        "extra_slots": [f"{slot:02x}" for slot in machine.extra_slots()],
        "peer_slot": "" if peer_slot is None else f"{peer_slot:02x}",
        "userland": os.environ.get("LAB_USERLAND", "") if options.userland else "",
        "modules": f"{debian_kernel()}/{options.debian_kernel}" if options.debian_kernel else "",
        "drivers": DRIVERS if options.debian_kernel else [],
        "bind": "no" if options.no_bind else "yes",
        "interactive": "yes" if options.action == "shell" else "no",
        "rows": size.lines,
        "columns": size.columns,
        "end_mark": end_mark,
    }


@contextlib.contextmanager
def raw_terminal(wanted):
    if not wanted:
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setraw(sys.stdin)
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def boot(options, command, accel):
    with RunFolder(os.path.join(options.cache, "run")) as folder:
        interactive = options.action == "shell"
        machine = machine_of(options, accel)
        end_mark = secrets.token_hex(16)
        image, job = folder.file("initrd"), options.share or folder.folder("job")
        console = os.path.abspath(options.console or folder.file("console"))
        settings = settings_of(options, machine, command, end_mark)
        kept = [path for path in (TREE, build_outside()) if path]
        kernel = debian_kernel() if options.debian_kernel else ""
        initrd.write(image, {"TREE": TREE, "BUILD": build_outside(),
                             "USERLAND": settings["userland"], "KERNEL": kernel,
                             "HIDE": " ".join(covered(*kept))}, settings,
                     sorted(glob.glob(f"{kernel}/boot/*.ko")) if kernel else [])
        supervisor = Supervisor(console, end_mark, interactive)
        words = machine.command_line(image, os.path.abspath(job), console,
                                     supervisor.channels())
        with raw_terminal(interactive):
            return supervisor.run(words, options.timeout)


def kvm_works(options):
    """Boots a guest under KVM to know; the answer holds until this machine reboots."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        answer = os.path.join(options.cache, f"kvm-{file.read().strip()}")
    if not os.path.exists(answer):
        print("lab: trying whether KVM works here (once per boot of this machine)", file=sys.stderr)
        probe = subprocess.run(
            [sys.executable, "-sS", os.path.abspath(__file__), options.cache,
             "run", "--accel", "kvm", "--kernel", options.kernel, "--numa", "1",
             "--memory", "1024", "--hugepages", "0", "--", "true"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            check=False, env={**os.environ, "LAB_BOOT_LIMIT": str(KVM_PROBE_LIMIT)})
        with open(answer + ".new", "w", encoding="ascii") as file:
            file.write("yes" if probe.returncode == 0 else "no")
        os.rename(answer + ".new", answer)
    with open(answer, encoding="ascii") as file:
        return file.read() == "yes"


def main():
    if sys.argv[1] == "--check":  # only whether the options make sense
        parse(sys.argv[2:])
        return 0
    cache, *arguments = sys.argv[1:]
    options, command = parse(arguments)
    options.cache = cache
    if options.action == "shell":
        if not sys.stdin.isatty():
            print("lab: shell needs a terminal; use lab.sh run", file=sys.stderr)
            return 2
        print("lab: booting; `exit` or Ctrl-D ends it", file=sys.stderr)
        command = ["/bin/bash", "-i"]
    try:
        if not options.kernel or not os.path.exists(options.kernel):
            raise LabError(f"no kernel at {options.kernel}: run devtools/setup.sh")
        if not shutil.which(QEMU):
            raise LabError(f"{QEMU} is not installed: run devtools/setup.sh")
        accel = options.accel
        if accel == "auto":
            accel = "kvm" if kvm_works(options) else "tcg"
        return boot(options, command, accel)
    except (LabError, OSError) as error:
        print("lab:", error, file=sys.stderr)
        return getattr(error, "status", FAILED)


if __name__ == "__main__":
    sys.exit(main())
