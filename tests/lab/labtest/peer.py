# SPDX-License-Identifier: BSD-3-Clause
"""The NIC that the guest's kernel drives, on the same hub as the test NICs: raw frames out
and in through a packet socket, packet(7)."""

import contextlib
import ctypes
import fcntl
import os
import random
import select
import socket
import struct
import time

from labtest import lab, process

ETHERTYPE = 0x88B5  # IEEE 802, local experimental
VLAN = 0x8100
HEADER = 14  # bytes of addresses and type
MIN_FRAME = 60  # bytes without the frame check sequence, as all lengths here
MAX_FRAME = 1514
MAX_VLAN_FRAME = 1518
QUIET = 1.0  # seconds without a frame, after which no more is expected
# Seconds that one which is expected may stay away. An Rx interrupt of the peer's that the emulation
# has lost is made up for by its driver's watchdog, each 2 s and up to a second more
# (Linux 7.3.4, e1000e/netdev.c, e1000_watchdog_task() and round_jiffies()).
PATIENCE = 4.0

# linux/if_packet.h
_SOL_PACKET = 263
_ADD_MEMBERSHIP, _STATISTICS, _AUXDATA, _IGNORE_OUTGOING = 1, 6, 8, 23
_MR_PROMISC = 1
_VLAN_VALID = 1 << 4
_SO_RCVBUFFORCE = 33
_ETH_P_ALL = 3
_SIOCGIFINDEX = 0x8933
_SIOCETHTOOL, _ETHTOOL_SGRO = 0x8946, 0x2C  # linux/sockios.h, linux/ethtool.h


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


class Peer:
    """Sees every frame on the hub that carries ETHERTYPE, tagged or not."""

    def __init__(self, name=lab.PEER):
        self.name = name
        self.mac = lab.read(f"/sys/class/net/{name}/address")
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        index = struct.unpack("16xi", fcntl.ioctl(
            self._socket, _SIOCGIFINDEX, struct.pack("16si", name.encode(), 0))[:20])[0]
        self._socket.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP,
                                struct.pack("iHH8s", index, _MR_PROMISC, 0, b""))
        self._socket.setsockopt(_SOL_PACKET, _AUXDATA, 1)
        self._socket.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 32 << 20)
        self._socket.bind((name, _ETH_P_ALL))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def send(self, frame):
        self._socket.send(frame)

    def _receive_one(self):
        data, control, _, _ = self._socket.recvmsg(65536, 256)
        for level, kind, aux in control:
            if (level, kind) == (_SOL_PACKET, _AUXDATA):
                status, tag = struct.unpack("I12xHxx", aux[:20])[:2]
                if status & _VLAN_VALID:  # the kernel has taken the tag out
                    data = data[:12] + struct.pack("!HH", VLAN, tag) + data[12:]
        return data

    def receive(self, count=None, quiet=None, limit=30, ethertype=ETHERTYPE):
        """Frames of a type: count of them, or all until none has come for quiet seconds. Ends
        after limit seconds whatever comes. Says so if one that was expected came late."""
        frames = []
        if quiet is None:
            quiet = QUIET if count is None else PATIENCE
        deadline = time.monotonic() + limit
        while (count is None or len(frames) < count) and time.monotonic() < deadline:
            since = time.monotonic()
            if not select.select([self._socket], [], [], quiet)[0]:
                break
            if count is not None and time.monotonic() - since > QUIET:
                print(f"# {self.name}: a frame after {time.monotonic() - since:.1f} s of silence",
                      flush=True)
            frame = self._receive_one()
            if type_of(frame) == ethertype:
                frames.append(frame)
        return frames

    def exchange(self, frames, batch, **rest):
        """Sends frames, of which no more than batch are under way; what came back for them, in order.
        rest: as receive() has it."""
        back = []
        for at in range(0, len(frames), batch):
            part = frames[at:at + batch]
            for frame in part:
                self.send(frame)
            back += self.receive(len(part), **rest)
        return back

    def leave_segments(self):
        """TCP segments come as they were sent: the kernel puts none together (GRO), as long as
        the interface lives."""
        value = ctypes.create_string_buffer(struct.pack("II", _ETHTOOL_SGRO, 0))
        fcntl.ioctl(self._socket, _SIOCETHTOOL,
                    struct.pack("16sQ", self.name.encode(), ctypes.addressof(value)))

    def drain(self):
        """Forgets what has come until now, and what the socket has lost."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.recv(65536, socket.MSG_DONTWAIT)
        self.lost()

    def lost(self):
        """Frames that came faster than they were received, since it was asked last."""
        return struct.unpack("II", self._socket.getsockopt(_SOL_PACKET, _STATISTICS, 8))[1]

    def wait_until_quiet(self, quiet=0.5, limit=30):
        """Until the interface has received nothing for quiet seconds. QEMU keeps frames for a NIC
        whose ring is full (10000, nq_maxlen of its net/queue.c), so that after a flood they go on
        coming for as long as a slow guest takes for them."""
        deadline = time.monotonic() + limit
        before, since = self.counter("rx_packets"), time.monotonic()
        while time.monotonic() - since < quiet:
            if time.monotonic() > deadline:
                raise process.Timeout(f"{self.name} still receives after {limit} seconds")
            time.sleep(0.05)
            now = self.counter("rx_packets")
            if now != before:
                before, since = now, time.monotonic()
        self.drain()

    def counter(self, name):
        """A counter of the interface: rx_packets, ..."""
        return int(lab.read(f"/sys/class/net/{self.name}/statistics/{name}"))

    def frame(self, destination, length=MIN_FRAME, payload=None, vlan=None):
        """A frame of length bytes from this interface with random content."""
        head = mac_bytes(destination) + mac_bytes(self.mac)
        if vlan is not None:
            head += struct.pack("!HH", VLAN, vlan)
        head += struct.pack("!H", ETHERTYPE)
        return head + (random.randbytes(length - len(head)) if payload is None else payload)


def is_tagged(frame):
    return frame[12:14] == struct.pack("!H", VLAN)


def type_of(frame):
    at = 16 if is_tagged(frame) else 12
    return struct.unpack("!H", frame[at:at + 2])[0]


def body(frame):
    """All behind the addresses."""
    return frame[12:]


def wait_for_link(name, limit=10):
    """Until what is sent is not dropped. operstate alone is what it was for up to a second after the
    link is gone (Linux 7.3.4, net/core/link_watch.c), carrier alone comes before the queue runs."""
    folder = f"/sys/class/net/{name}"
    deadline = time.monotonic() + limit
    while (lab.read(f"{folder}/carrier"), lab.read(f"{folder}/operstate")) != ("1", "up"):
        if time.monotonic() > deadline:
            raise process.Timeout(f"{name} has no link after {limit} seconds")
        time.sleep(0.05)


@contextlib.contextmanager
def mtu(name, value):
    """Another MTU for a while; its driver takes the link down to change it, before the write ends."""
    path = f"/sys/class/net/{name}/mtu"
    before = lab.read(path)
    try:
        for size in (value, before):
            lab.write(path, str(size))
            wait_for_link(name)
            if size == value:
                yield
    finally:
        lab.write(path, before)


@contextlib.contextmanager
def address(name, network, neighbours=()):
    """An IPv4 address for a while, with neighbours [(IP, MAC)] known without ARP."""
    process.run(["ip", "address", "add", network, "dev", name])
    try:
        for ip, mac in neighbours:
            process.run(["ip", "neighbour", "replace", ip, "lladdr", mac, "dev", name,
                         "nud", "permanent"])
        yield
    finally:
        process.run(["ip", "neighbour", "flush", "dev", name, "nud", "permanent"])
        process.run(["ip", "address", "flush", "dev", name])
