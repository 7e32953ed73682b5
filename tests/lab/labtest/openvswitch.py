# SPDX-License-Identifier: BSD-3-Clause
"""Open vSwitch as Debian packages it, under dpdk-iommufd-run: its database and its daemon are an
ordinary user's, and a netdev bridge has the NICs as dpdk0 and dpdk1."""

import os
import re
import time

from labtest import lab, memory, peer, privileges, process, stock, storm, tap, traffic

# In another user space it is in its own place.
ROOT = "" if os.path.exists("/usr/bin/ovs-vsctl") else lab.built("apps/openvswitch")
PORTS = ("dpdk0", "dpdk1")
TO, FROM = "02:00:00:00:00:77", "02:00:00:00:00:78"  # of frames: to the bridge, and back from it
_FOLDER = "/run/labtest-ovs"
_LOG = f"{_FOLDER}/ovs-vswitchd.log"
_ENVIRONMENT = {"OVS_RUNDIR": _FOLDER, "OVS_LOGDIR": _FOLDER, "OVS_DBDIR": _FOLDER,
                "OVS_SYSCONFDIR": _FOLDER, "OVS_PKGDATADIR": f"{ROOT}/usr/share/openvswitch",
                "PATH": f"{ROOT}/usr/bin:{ROOT}/usr/sbin:{os.environ['PATH']}"}
_TUN = "/dev/net/tun"
_NET_ADMIN = 1 << 12  # linux/capability.h
_FRAMES = 256


def ovs(*words):
    """What one of its tools says to the user."""
    status, output = process.run([*privileges.user(), *words], env=_ENVIRONMENT, timeout=90)
    tap.equal(status, 0, f"exit status of {' '.join(words)}:\n{output}\n{log()}")
    return output


def vsctl(*words):
    return ovs("ovs-vsctl", "--timeout=80", *words)


def set_ports(*words):
    """The same for each port, without waiting; %d and %s are its number and its NIC."""
    command = []
    for number, (port, nic) in enumerate(zip(PORTS, lab.NICS), start=1):
        command += ["--", "set", "Interface", port,
                    *(word.replace("%d", str(number)).replace("%s", nic) for word in words)]
    vsctl("--no-wait", *command)


def log():
    """What the daemon has written since its last start."""
    return lab.read(_LOG).rpartition("opened log file")[2] if os.path.exists(_LOG) else ""


def pid_of(name="ovs-vswitchd"):
    return int(lab.read(f"{_FOLDER}/{name}.pid"))


def make_database(*settings):
    """Its server runs, and knows the bridge. No frame finds its way by itself: both NICs are on the
    same hub. One thread for packets leaves the other processor to the rest."""
    os.mkdir(_FOLDER)
    os.chown(_FOLDER, privileges.UID, privileges.UID)
    os.chmod(_TUN, 0o666)  # as udev does (systemd's 50-udev-default.rules)
    ovs("ovsdb-tool", "create", f"{_FOLDER}/conf.db",
        f"{ROOT}/usr/share/openvswitch/vswitch.ovsschema")
    ovs("ovsdb-server", f"{_FOLDER}/conf.db", f"--remote=punix:{_FOLDER}/db.sock", "--detach",
        "--pidfile", "--log-file", "-vconsole:off")
    words = ["--", "add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev",
             "fail_mode=secure"]
    for number, port in enumerate(PORTS, start=1):
        words += ["--", "add-port", "br0", port, "--", "set", "Interface", port, "type=dpdk",
                  f"ofport_request={number}"]
    vsctl("--no-wait", "init", "--", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
          "other_config:pmd-cpu-mask=1", *settings, *words)
    set_ports("options:dpdk-devargs=%s")


def _command():
    prefix = [lab.RUN, "--user", privileges.UID, "--keep-capability", "net_admin"]
    for nic in lab.NICS:
        prefix += ["--device", nic]
    return [*prefix, "--", f"{ROOT}/usr/sbin/ovs-vswitchd", f"unix:{_FOLDER}/db.sock", "--detach",
            "--pidfile", "--log-file", "--mlockall", "-vconsole:off", "-vnetdev_dpdk:file:dbg"]


def wait_for_links(limit=60):
    """Until the bridge has both ports, and their links are up. The database may still have what the
    daemon had written before it ended."""
    deadline, said = time.monotonic() + limit, ""
    while not all(re.search(rf"\({port}\):[^(]*?state: +(?!LINK_DOWN| )", said) for port in PORTS):
        if time.monotonic() > deadline:
            print(log(), said, sep="\n")
            raise process.Timeout(f"the bridge has not both ports with a link after {limit} seconds")
        time.sleep(0.2)
        _, said = process.run([*privileges.user(), "ovs-ofctl", "dump-ports-desc", "br0"],
                              env=_ENVIRONMENT, timeout=30)


def start():
    begin = time.monotonic()
    status, output = process.run(_command(), env=_ENVIRONMENT, timeout=100)
    tap.equal(status, 0, f"exit status of the start:\n{output}\n{log()}")
    wait_for_links()
    process.startups.append(time.monotonic() - begin)
    ovs("ovs-ofctl", "add-flow", "br0",
        f"in_port=1,dl_dst={TO},actions=mod_dl_src:{FROM},mod_dl_dst:{FROM},output:2")
    return pid_of()


def ended(pid):
    deadline = time.monotonic() + 30
    while os.path.exists(f"/proc/{pid}"):
        if time.monotonic() > deadline:
            raise process.Timeout(f"process {pid} has not ended")
        time.sleep(0.05)
    stock.settle()


def stop():
    pid = pid_of()
    ovs("ovs-appctl", "exit")
    ended(pid)
    tap.equal([lab.holders(lab.cdev_of(nic)) for nic in lab.NICS], [set(), set()],
              "who has the NICs")


def end():
    """Of the database."""
    pid = pid_of("ovsdb-server")
    ovs("ovs-appctl", "-t", "ovsdb-server", "exit")
    ended(pid)
    os.chmod(_TUN, 0o600)


def forwards(port):
    """Frames of many lengths go through both NICs, and no byte of them changes."""
    tap.equal(traffic.round_trip(port, TO, _FRAMES), _FRAMES, "frames that came back")


def check_process(pid):
    """What it may, and that all it has for devices is pinned."""
    tap.equal(memory.status(pid, "CapEff"), f"{_NET_ADMIN:016x}", "CapEff")
    tap.equal(memory.status(pid, "Uid"), "\t".join([str(privileges.UID)] * 4), "Uid")
    tap.equal(memory.pinned(pid), len(memory.hugepages_of(pid)) * memory.HUGEPAGE, "pinned bytes")


def forwards_in_storm(pid, rounds):
    with peer.Peer() as port:
        with storm.Storm(pid, rounds) as blown:
            while blown.blows():
                forwards(port)
        tap.equal((blown.rounds > 0, blown.moved, blown.wandered()), (True, 0, 0),
                  "whether there were rounds, hugepages that moved")
        forwards(port)
