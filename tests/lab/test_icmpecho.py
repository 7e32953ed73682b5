#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer
"""The peer's kernel asks and testpmd's icmpecho answers: ARP, then echoes whose checksums and
payloads the kernel, ping(8) and this file check."""

import random
import re
import shutil
import socket
import struct
import time

from labtest import lab, peer, process, tap
from labtest.testpmd import Testpmd

OURS = "10.77.0.1"
THEIRS = "10.77.0.2"  # icmpecho answers to every address
LONGEST = 1472  # bytes of payload in one frame: 1500 - IPv4's 20 - ICMP's 8

# One for all tests, on the first NIC alone: two would both answer.
testpmd = process.Shared(lambda: Testpmd(lab.eal(lab.NICS[0]), ["--forward-mode=icmpecho"])
                         .start().wait_for_links(1).commands("start"))


def ping(*options):
    status, output = process.run(["ping", "-n", "-W", f"{peer.PATIENCE:g}", *options, THEIRS], timeout=60)
    tap.equal(status, 0, f"exit status of ping:\n{output}")
    return output


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[:len(data) // 2 * 2]))
    if len(data) % 2:
        total += data[-1] << 8
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def echo(sock, identifier, sequence, payload):
    """One echo request; the payload of its reply."""
    head = struct.pack("!BBHHH", 8, 0, 0, identifier, sequence)
    head = struct.pack("!BBHHH", 8, 0, checksum(head + payload), identifier, sequence)
    sock.sendto(head + payload, (THEIRS, 0))
    deadline = time.monotonic() + peer.PATIENCE
    while time.monotonic() < deadline:
        packet = sock.recv(65536)
        message = packet[(packet[0] & 15) * 4:]
        kind, _, _, ident, number = struct.unpack("!BBHHH", message[:8])
        if (kind, ident, number) == (0, identifier, sequence):
            tap.equal(checksum(message), 0, "checksum of a reply")
            return message[8:]
    raise tap.Failure(f"no reply to the echo of {len(payload)} bytes")


@tap.test("ping, with testpmd's answer to ARP")
def ordinary():
    if not shutil.which("ping"):
        raise tap.Skip("ping (iputils-ping) is not installed")
    mac = testpmd().mac(0)
    with peer.address(lab.PEER, OURS + "/24"):
        tap.contains(ping("-c", "20", "-i", "0.02"), " 20 received, 0% packet loss", "ping")
        _, neighbours = process.run(["ip", "neighbour", "show", THEIRS, "dev", lab.PEER])
        tap.contains(neighbours, mac, "the peer's ARP table")


@tap.test("ping with every size class, the largest frame included, and ping -f")
def sizes():
    if not shutil.which("ping"):
        raise tap.Skip("ping (iputils-ping) is not installed")
    testpmd()
    with peer.address(lab.PEER, OURS + "/24"):
        for size in (0, 1, 17, 18, 19, 64, 511, 1024, LONGEST):
            output = ping("-c", "3", "-i", "0.02", "-M", "do", "-s", str(size), "-p", "a55a")
            tap.contains(output, " 3 received", f"ping -s {size}")
            tap.check("wrong data" not in output, output)
        flood = ping("-f", "-c", "300", "-s", "1400")
        tap.equal(re.search(r"(\d+) received", flood)[1], "300", "replies to ping -f")


@tap.test("random payloads of 0 to 1472 bytes come back as they were")
def payloads():
    testpmd()
    with peer.address(lab.PEER, OURS + "/24"), \
            socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        sock.settimeout(peer.PATIENCE)
        for sequence, size in enumerate(range(0, LONGEST + 1, 8)):
            payload = random.randbytes(size)
            tap.check(echo(sock, 0x7E57, sequence, payload) == payload,
                      f"an echo of {size} bytes came back changed")


@tap.test("negative control: without testpmd nobody answers")
def silence():
    tap.equal(testpmd().quit(), 0, "exit status of testpmd")
    with peer.address(lab.PEER, OURS + "/24"), \
            socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        sock.settimeout(1)
        try:
            echo(sock, 0x7E57, 0, b"nobody")
        except (TimeoutError, tap.Failure):
            return
        except OSError as error:
            tap.note(error)
            return
    raise tap.Failure("somebody answered")


tap.main()
