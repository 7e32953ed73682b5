#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer --extra-device e1000e,netdev=hub --extra-device e1000,netdev=hub --extra-device virtio-net-pci,netdev=hub,disable-legacy=on --extra-device vmxnet3,netdev=hub --all-plugins --timeout 180
"""DPDK's examples l2fwd, l3fwd, ip_reassembly and skeleton, built unmodified from package dpdk-doc,
forward over iommufd as uid 1000 with stock drivers; the peer checks every byte."""

import os
import signal
import time

from labtest import lab, peer, process, stock, tap, udp
from labtest.peer import Peer
from labtest.trace import PagemapOpens

EXAMPLES = "/usr/share/dpdk/examples"
MACS = [f"52:54:00:00:00:{number:02x}" for number in (1, 2)]  # as the lab gives them
COUNT = 64


def example(name, *options, nics=lab.NICS, cores="0-1"):
    program = lab.EXAMPLE + name
    if not os.path.exists(program):
        raise tap.Skip(f"{name} was not built: package dpdk-doc is not installed")
    return process.Process([*stock.run(*nics), program, "-l", cores, *stock.allow(*nics),
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


@tap.test("l3fwd: routed by its table, out of port 1 to the peer")
def l3fwd():
    with Peer() as port, PagemapOpens() as opens:
        program = example("l3fwd", "--", "-p", "3", "--config=(0,0,1),(1,0,1)", "--parse-ptype",
                          f"--eth-dest=1,{port.mac}", f"--rule_ipv4={EXAMPLES}/l3fwd/lpm_default_v4.cfg",
                          f"--rule_ipv6={EXAMPLES}/l3fwd/lpm_default_v6.cfg")
        program.wait_for("entering main loop", 60)
        program.wait_for("Link Up|link up|Link up", 30)
        # l3fwd's table has the destination at port 1.
        frames = [udp.frame((port.mac, MACS[0]), ("198.18.0.9", "198.18.1.1"),
                            os.urandom(26 + 20 * i), number=i) for i in range(COUNT)]
        send(port, frames)
        back = port.receive(COUNT, ethertype=0x0800)
        tap.equal([frame[34:] for frame in back], [frame[34:] for frame in frames], "payloads")
        head = peer.mac_bytes(port.mac) + peer.mac_bytes(MACS[1])
        tap.equal({frame[:12] for frame in back}, {head}, "addresses")
        end(program, opens)


@tap.test("ip_reassembly: what came in pieces goes out in one, of several buffers")
def ip_reassembly():
    with Peer() as port, PagemapOpens() as opens:
        # One port: promiscuous and on one hub, two would send each other's frames for ever.
        program = example("ip_reassembly", "--", "-p", "1", "--maxflows=64",
                          nics=lab.NICS[:1], cores="0")
        program.wait_for("entering main loop", 60)
        whole = [udp.frame((port.mac, MACS[0]), ("198.18.0.9", "100.10.0.1"),
                           os.urandom(100 + 40 * i), number=i) for i in range(32)]
        for number, frame in enumerate(whole):
            send(port, udp.fragments(frame, 2 + number % 2))
        back = port.receive(len(whole), ethertype=udp.ETHERTYPE)
        tap.equal([frame[14:] for frame in back], [frame[14:] for frame in whole], "packets")
        tap.equal({frame[6:12] for frame in back}, {peer.mac_bytes(MACS[0])}, "senders")
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
