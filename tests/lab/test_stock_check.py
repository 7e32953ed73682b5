#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer
"""dpdk-iommufd-run --check, --status, --bind and --unbind on the true kernel."""

import json

from labtest import lab, privileges, process, stock, tap

NIC, OTHER = lab.NICS[:2]
MODE = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
# Opens and binds the cdev, maps BAR 0, closes the descriptors, and waits.
MAPPER = """
import ctypes, fcntl, os, struct, sys, time
iommu, cdev = os.open("/dev/iommu", os.O_RDWR), os.open(sys.argv[1], os.O_RDWR)
fcntl.ioctl(cdev, 0x3b76, bytearray(struct.pack("<IIiIQ", 24, 0, iommu, 0, 0)))  # BIND_IOMMUFD
info = bytearray(struct.pack("<IIIIQQ", 32, 0, 0, 0, 0, 0))
fcntl.ioctl(cdev, 0x3b6c, info)  # GET_REGION_INFO
_, _, _, _, size, offset = struct.unpack("<IIIIQQ", info)
libc = ctypes.CDLL(None)
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
libc.mmap.restype = ctypes.c_void_p
assert libc.mmap(None, size, 3, 1, cdev, offset) not in (None, ctypes.c_void_p(-1).value)
os.close(cdev)
os.close(iommu)
print("mapped", flush=True)
time.sleep(600)
"""


def run(*words, status=0, prefix=()):
    got, output = process.run([*prefix, lab.RUN, *words], timeout=30)
    tap.equal(got, status, f"status of {' '.join(words)}:\n{output}")
    return output


def missing(output):
    return {finding["subject"] for finding in json.loads(output)["findings"]
            if finding["verdict"] == "missing"}


@tap.test("--check: an application can start; a line for each NIC")
def ready():
    output = run("--check")
    tap.contains(output, "An application can start.", "--check")
    for nic in lab.NICS:
        tap.contains(output, f"{nic}   8086:10c9, driver vfio-pci, {lab.cdev_of(nic)}, group "
                             f"{lab.group_of(nic)}, no IOMMU", "--check")
    tap.contains(output, "interrupts: MSI, MSI-X 10, INTx", "--check")
    found = json.loads(run("--check", "--json"))
    tap.equal({device["bdf"]: device["ready"] for device in found["devices"]}[NIC], True, "ready")
    free = sum(pool["free"] for pool in found["hugepages"] if pool["page_size"] == 2 << 20)
    tap.equal(free, lab.hugepages_free(), "free hugepages")


@tap.test("--check names what is missing, with status 1")
def not_ready():
    with lab.parameter(MODE, "N"):
        tap.equal(missing(run("--check", "--json", status=1)), {"no-IOMMU mode"}, "missing")
    with lab.bound(NIC, None), lab.bound(OTHER, "igb"):
        tap.equal(missing(run("--check", "--json", status=1)), {"devices"}, "missing")
    output = run("--check", status=1, prefix=privileges.user())
    tap.contains(output, "CAP_SYS_RAWIO is missing", "--check as a user without capabilities")


@tap.test("--unbind and --bind: back to the kernel's driver and again to vfio-pci")
def there_and_back():
    run("--unbind", NIC)
    tap.equal(lab.driver_of(NIC), "igb", "driver after --unbind")
    process.run(["ip", "link", "set", lab.interface_of(NIC), "up"])
    output = run("--bind", NIC, status=1)
    tap.contains(output, "is up, and this machine may be reached by it", "--bind")
    tap.equal(lab.driver_of(NIC), "igb", "driver after a refusal")
    process.run(["ip", "link", "set", lab.interface_of(NIC), "down"])
    with lab.parameter(MODE, "N"):
        run("--bind", NIC)
        tap.equal(lab.read(MODE), "Y", "the mode")
    tap.equal(lab.driver_of(NIC), "vfio-pci", "driver after --bind")
    tap.check(lab.cdev_of(NIC) is not None, "it has no node")
    run("--bind", NIC)
    run("--unbind", "0000:77:00.0", status=1)


@tap.test("--bind and --unbind: an unprivileged caller changes nothing; a mapped BAR is a use")
def not_his():
    override = f"/sys/bus/pci/devices/{NIC}/driver_override"
    before = lab.read(override), lab.driver_of(NIC), lab.read(MODE)
    tap.contains(run("--unbind", NIC, status=1, prefix=privileges.user()), "run this as root",
                 "--unbind as a user")
    with lab.bound(OTHER, "igb"):
        tap.contains(run("--bind", OTHER, status=1, prefix=privileges.user()), "run this as root",
                     "--bind as a user")
        tap.equal(lab.driver_of(OTHER), "igb", "driver of what a user would bind")
    tap.equal((lab.read(override), lab.driver_of(NIC), lab.read(MODE)), before, "what there was")

    # The descriptors are closed, the registers still mapped: the kernel's unbind would wait.
    mapped = process.Process([lab.RUN, "--device", NIC, "--", "python3", "-c", MAPPER,
                              lab.cdev_of(NIC)])
    mapped.wait_for("mapped", 20)
    tap.contains(run("--unbind", NIC, status=1), "has it open: end it first", "--unbind")
    mapped.kill()
    # As a --bind leaves it that was killed: no driver has it, and none may take it.
    with lab.bound(NIC, None):
        run("--unbind", NIC)
        tap.equal(lab.driver_of(NIC), "igb", "driver after --unbind")


@tap.test("--status and --unbind while an application runs: who has it, and a refusal at once")
def in_use():
    program = stock.testpmd(NIC).start()
    output = run("--status")
    tap.contains(output, f"{OTHER}  {lab.cdev_of(OTHER)}  free", "--status")
    devices = {device["bdf"]: device for device in
               json.loads(run("--status", "--json"))["devices"]}
    clients = devices[NIC]["clients"]
    tap.equal([client["uid"] for client in clients if client["pid"] == program.pid],
              [privileges.UID], "uid of the client")
    tap.check(any(client["pinned_bytes"] >= 16 << 20 for client in clients), f"{clients}")
    tap.contains(run("--unbind", NIC, status=1), "has it open: end it first", "--unbind")
    tap.equal(program.quit(), 0, "exit status")
    tap.contains(run("--status"), f"{NIC}  {lab.cdev_of(NIC)}  free", "--status afterwards")


@tap.test("an administrator finds a user's application: --status says where, telemetry and "
          "dpdk-proc-info answer")
def administrator():
    program = stock.testpmd(NIC).start().wait_for_links(1)
    runtime = f"/run/dpdk-iommufd/runtime-{privileges.UID}"
    tap.contains(run("--status"), f"RUNTIME_DIRECTORY={runtime}", "--status")
    devices = {each["bdf"]: each for each in json.loads(run("--status", "--json"))["devices"]}
    tap.equal([client["runtime_directory"] for client in devices[NIC]["clients"]], [runtime],
              "its runtime directory")
    prefix = stock.run()  # which names no device: he need not know any
    for words in (["env", f"RUNTIME_DIRECTORY={runtime}"], prefix):
        telemetry = process.Process([*words, "dpdk-telemetry.py"])
        telemetry.wait_for("--> ", 30)
        telemetry.send("/iommufd_preload/devices\n")
        telemetry.wait_for(f"{NIC} {lab.cdev_of(NIC)}", 20)
        telemetry.send("quit\n")
        tap.equal(telemetry.wait(20), 0, f"status of dpdk-telemetry.py:\n{telemetry.output}")
    status, output = process.run([*prefix, "dpdk-proc-info", "--", "-p", "1", "--stats"])
    tap.equal(status, 0, f"status of dpdk-proc-info:\n{output}")
    tap.contains(output, "RX-packets: 0 ", "dpdk-proc-info")
    # Negative control: it is the prefix that brings it there. DPDK's files alone do not.
    status, output = process.run(["env", f"RUNTIME_DIRECTORY={runtime}", "dpdk-proc-info", "--",
                                  "-p", "1", "--stats"])
    tap.check(status != 0 and "RX-packets" not in output, f"without the prefix:\n{output}")
    tap.equal(program.quit(), 0, "exit status of the application")


tap.main()
