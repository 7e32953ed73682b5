#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer --extra-device e1000e,netdev=hub --extra-device e1000,netdev=hub --extra-device virtio-net-pci,netdev=hub,disable-legacy=on --extra-device vmxnet3,netdev=hub --all-plugins --timeout 180
"""DPDK's examples l2fwd, l3fwd and skeleton, built unmodified from package dpdk-doc, forward over
iommufd as uid 1000 with stock drivers; the peer checks every byte."""

import os
import signal
import socket
import struct
import time

from labtest import lab, peer, process, stock, tap
from labtest.peer import Peer
from labtest.trace import PagemapOpens

EXAMPLES = "/usr/share/dpdk/examples"
MACS = [f"52:54:00:00:00:{number:02x}" for number in (1, 2)]  # as the lab gives them
COUNT = 64


def example(name, *options):
    program = lab.EXAMPLE + name
    if not os.path.exists(program):
        raise tap.Skip(f"{name} was not built: package dpdk-doc is not installed")
    return process.Process([*stock.run(*lab.NICS), program, "-l", "0-1", *stock.allow(*lab.NICS),
                            *options])


def send(port, frames):
    for frame in frames:
        port.send(frame)


def end(program, opens):
    os.kill(program.pid, 2)
    tap.check(program.wait(30) in (0, -signal.SIGINT), "exit status")
    tap.equal(opens.by(), [], "threads that opened pagemap")
    for nic in lab.NICS:
        tap.equal(lab.holders(lab.cdev_of(nic)), set(), f"processes that hold {nic}")


@tap.test("l2fwd: from port 0 out of port 1, with its addresses")
def l2fwd():
    with Peer() as port, PagemapOpens() as opens:
        program = example("l2fwd", "--", "-p", "3", "-T", "0")
        program.wait_for(r"entering main loop|L2FWD: -- lcoreid", 60)
        frames = [port.frame(MACS[0], 60 + 20 * i) for i in range(COUNT)]
        send(port, frames)
        back = port.receive(COUNT)
        head = peer.mac_bytes("02:00:00:00:00:01") + peer.mac_bytes(MACS[1])
        tap.equal(back, [head + frame[12:] for frame in frames], "frames that came back")
        end(program, opens)


def packet(port, number):
    """UDP to 198.18.1.1, which l3fwd's table has at port 1."""
    payload = os.urandom(26 + 20 * number)
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), number, 0, 64, 17, 0,
                       socket.inet_aton("198.18.0.9"), socket.inet_aton("198.18.1.1"))
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    head = head[:10] + struct.pack("!H", ~total & 0xFFFF) + head[12:]
    return (peer.mac_bytes(MACS[0]) + peer.mac_bytes(port.mac) + b"\x08\x00" + head + payload)


@tap.test("l3fwd: routed by its table, out of port 1 to the peer")
def l3fwd():
    with Peer() as port, PagemapOpens() as opens:
        program = example("l3fwd", "--", "-p", "3", "--config=(0,0,1),(1,0,1)", "--parse-ptype",
                          f"--eth-dest=1,{port.mac}", f"--rule_ipv4={EXAMPLES}/l3fwd/lpm_default_v4.cfg",
                          f"--rule_ipv6={EXAMPLES}/l3fwd/lpm_default_v6.cfg")
        program.wait_for("entering main loop", 60)
        program.wait_for("Link Up|link up|Link up", 30)
        frames = [packet(port, number) for number in range(COUNT)]
        send(port, frames)
        back = port.receive(COUNT, ethertype=0x0800)
        tap.equal([frame[34:] for frame in back], [frame[34:] for frame in frames], "payloads")
        head = peer.mac_bytes(port.mac) + peer.mac_bytes(MACS[1])
        tap.equal({frame[:12] for frame in back}, {head}, "addresses")
        end(program, opens)


@tap.test("skeleton: between two ports, unchanged")
def skeleton():
    with Peer() as port, PagemapOpens() as opens:
        program = example("skeleton")
        program.wait_for("forwarding packets", 60)
        # Both ports are promiscuous and on one hub, so a frame goes round until the program
        # ends, and crowds out the ones behind it: what has not come by is sent again.
        frames = {port.frame(MACS[0], 60 + 100 * i) for i in range(8)}
        missing = set(frames)
        deadline = time.monotonic() + 30
        while missing and time.monotonic() < deadline:
            send(port, missing)
            for frame in port.receive(200):
                tap.check(frame in frames, f"nobody sent this frame: {frame.hex()}")
                missing.discard(frame)
        tap.equal(sorted(map(len, missing)), [], "lengths of the frames that never came by")
        end(program, opens)


tap.main()
