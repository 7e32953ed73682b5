# SPDX-License-Identifier: BSD-3-Clause
"""The lab's virtual machine: what it consists of, as a QEMU command line.

    q35
     |- 00:10.0 root port -- test NIC 1 (igb) --.
     |- 00:11.0 root port -- test NIC 2 (igb) --+-- one Ethernet hub
     |- 00:1x.0 root port -- the peer (e1000e) -'
     |- virtio-9p "root"   the host's /, read-only
     |- virtio-9p "job"    one writable folder
     '- virtio-serial      the command's stdout and stderr, control, console

Every NIC has a root port of its own because igb's virtual functions occupy the slots
beside it, and because DPDK resets whole buses. A hub repeats each frame to all others. More hubs,
by number, are for devices of one's own: what bridges two of them needs them apart.
"""

import dataclasses
import os
import re

QEMU = "qemu-system-x86_64"
FIRST_NIC_SLOT = 0x10
MAX_NICS = 8
MIB_FOR_THE_KERNEL = 512
# Freed pages are overwritten and unmapped, and the slab allocator looks at its objects' red zones and
# poison (Linux, Documentation/admin-guide/kernel-parameters.txt): who writes into memory that is
# not his any more is found out, a device too.
DEBUG_MEMORY = ["page_poison=1", "debug_pagealloc=on", "slub_debug=FZPU"]
COMMAND_LINE_SIZE = 2048  # bytes, Linux, arch/x86/include/asm/setup.h; the rest is cut off


class OptionError(Exception):
    """The options contradict each other; the text says how."""


@dataclasses.dataclass
class Machine:
    kernel: str
    nics: int = 0
    peer: bool = False
    extra_devices: list = dataclasses.field(default_factory=list)
    cpus: int = 2
    memory: int = 3072  # MiB
    numa: int = 2
    hugepages: int = 640  # of 2 MiB
    iommu: bool = False
    debug_memory: bool = False
    more_kernel_arguments: list = dataclasses.field(default_factory=list)
    unsafe_noiommu: bool = True
    accel: str = "tcg"
    qemu: str = QEMU

    def check(self):
        if not 0 <= self.nics <= MAX_NICS:
            raise OptionError(f"--nics must be 0 to {MAX_NICS}")
        if not 1 <= self.cpus <= 8:
            raise OptionError("--cpus must be 1 to 8")
        if not 1 <= self.numa <= 8:
            raise OptionError("--numa must be 1 to 8")
        if self.hugepages < 0:
            raise OptionError("--hugepages must not be negative")
        if self.memory < 2 * self.hugepages + MIB_FOR_THE_KERNEL:
            raise OptionError(
                f"--memory {self.memory} is too little for {self.hugepages} hugepages of 2 MiB: "
                f"at least {2 * self.hugepages + MIB_FOR_THE_KERNEL} is needed")
        if self.memory % (2 * self.numa):
            raise OptionError(f"--memory must be a multiple of {2 * self.numa} MiB "
                              f"to be shared by {self.numa} NUMA nodes")
        if len(self.extra_devices) + self.nics + self.peer > 0x1f - FIRST_NIC_SLOT:
            raise OptionError("too many devices for the root bus")
        for word in self.more_kernel_arguments:
            if len(word.split()) != 1 or word != word.strip():
                raise OptionError(f"--kernel-argument takes one word, not {word!r}")
        if len(self.kernel_arguments()) >= COMMAND_LINE_SIZE:
            raise OptionError(f"the kernel's command line must be below {COMMAND_LINE_SIZE} bytes")

    def nic_slots(self):
        return [FIRST_NIC_SLOT + i for i in range(self.nics)]

    def peer_slot(self):
        return FIRST_NIC_SLOT + self.nics if self.peer else None

    def extra_slots(self):
        first = FIRST_NIC_SLOT + self.nics + self.peer
        return [first + i for i in range(len(self.extra_devices))]

    def kernel_arguments(self):
        words = ["console=ttyS0", "loglevel=5", "panic=-1", "oops=panic", "trace_clock=global",
                 # Linux 7.3-rc7's one-shot timers get lost in software emulation: now and then
                 # both CPUs were found asleep, with nothing outstanding and a timer overdue.
                 # The periodic tick need not be armed again.
                 "highres=off", "nohz=off",
                 "sysctl.kernel.hung_task_timeout_secs=30", "unknown_nmi_panic",
                 "panic_sys_info=blocked_tasks,all_bt"]
        if self.hugepages:
            share, rest = divmod(self.hugepages, self.numa)
            per_node = [f"{n}:{share + (n < rest)}" for n in range(self.numa)]
            words.append("hugepages=" + ",".join(per_node))
        if self.unsafe_noiommu:
            words.append("vfio.enable_unsafe_noiommu_mode=1")
        words.append("intel_iommu=on" if self.iommu else "intel_iommu=off")
        if self.debug_memory:
            words += DEBUG_MEMORY
        return " ".join(words + self.more_kernel_arguments)

    def command_line(self, initrd, job_dir, console_log, channels):
        """channels: name -> file descriptor of a connected socket, inherited by QEMU."""
        cpu_and_accel = (["-accel", "kvm", "-cpu", "host"] if self.accel == "kvm" else
                         ["-accel", "tcg,thread=multi", "-cpu", "max"])
        return [
            self.qemu, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-M", "q35", *cpu_and_accel, *self._processors(),
            *self._memory(),
            "-kernel", self.kernel, "-initrd", initrd, "-append", self.kernel_arguments(),
            "-serial", "file:" + _escape(console_log), "-nic", "none",
            # The IOMMU must stand before the devices that it translates.
            *(["-device", "intel-iommu,intremap=off"] if self.iommu else []),
            *self._network(), *self._shares(job_dir), *_serial(channels),
            "-device", "virtio-rng-pci",
        ]

    def _processors(self):
        # One core per socket: a socket never spans two NUMA nodes.
        return ["-smp", f"{self.cpus},sockets={self.cpus},cores=1,threads=1"]

    def _memory(self):
        words = ["-m", f"{self.memory}M"]
        for node in range(self.numa):
            size = self.memory // self.numa
            cpus = [f",cpus={c}" for c in range(self.cpus) if c % self.numa == node]
            words += ["-object", f"memory-backend-ram,id=mem{node},size={size}M",
                      "-numa", f"node,nodeid={node},memdev=mem{node}" + "".join(cpus)]
        return words

    def _network(self):
        words = []
        for number, slot in enumerate(self.nic_slots()):
            words += _port(slot) + _hub(f"hub{slot}") + [
                "-device", f"igb,netdev=hub{slot},bus=port{slot},mac=52:54:00:00:00:{number + 1:02x}"]
        slot = self.peer_slot()
        if slot is not None:
            words += _port(slot) + _hub(f"hub{slot}") + [
                "-device", f"e1000e,netdev=hub{slot},bus=port{slot},mac=52:54:00:00:00:fe"]
        for slot, device in zip(self.extra_slots(), self.extra_devices):
            on_hub = re.search(r"(?<=,netdev=)hub(\d*)(?=,|$)", device)
            if on_hub:
                words += _hub(f"hub{slot}", on_hub[1] or "0")
                device = device[:on_hub.start()] + f"hub{slot}" + device[on_hub.end():]
            if "bus=" not in device:
                words += _port(slot)
                device += f",bus=port{slot}"
            words += ["-device", device]
        return words

    @staticmethod
    def _shares(job_dir):
        return ["-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap",
                "-device", "virtio-9p-pci,id=root,fsdev=root,mount_tag=root",
                "-fsdev", f"local,id=job,path={_escape(job_dir)},security_model=none",
                "-device", "virtio-9p-pci,id=job,fsdev=job,mount_tag=job"]


def _port(slot):
    return ["-device", f"pcie-root-port,id=port{slot},chassis={slot},addr={slot:#x}"]


def _hub(name, number="0"):
    return ["-netdev", f"hubport,id={name},hubid={number}"]


def _serial(channels):
    words = ["-device", "virtio-serial-pci"]
    for number, (name, descriptor) in enumerate(channels.items(), start=1):
        if name == "monitor":
            words += ["-chardev", f"socket,id={name},fd={descriptor}",
                      "-mon", f"chardev={name},mode=control"]
            continue
        kind = "virtconsole" if name == "console" else "virtserialport"
        words += ["-chardev", f"socket,id={name},fd={descriptor}",
                  "-device", f"{kind},chardev={name},name=lab.{name},nr={number}"]
    return words


def _escape(path):
    """QEMU's option parser reads a doubled comma as one."""
    return os.fspath(path).replace(",", ",,")
