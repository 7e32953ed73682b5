# SPDX-License-Identifier: BSD-3-Clause
"""DPDK's telemetry socket, as usertools/dpdk-telemetry.py talks to it."""

import contextlib
import dataclasses
import json
import re
import socket
import time

_PATH = "/var/run/dpdk/rte/dpdk_telemetry.v2"
_LIMIT = 10  # seconds


class Telemetry:
    """A connection; ask() gives the value of the answer's one key."""

    def __init__(self, path=_PATH):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(_LIMIT)
        deadline = time.monotonic() + _LIMIT
        while True:
            try:
                self._socket.connect(path)
                break
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        self._length = json.loads(self._socket.recv(1024))["max_output_len"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._socket.close()

    def ask(self, command):
        self._socket.send(command.encode())
        return json.loads(self._socket.recv(self._length))[command.partition(",")[0]]


def memory():
    """/iommufd/memory of the running process."""
    with Telemetry() as connection:
        return connection.ask("/iommufd/memory")


@dataclasses.dataclass(frozen=True)
class Area:
    """A line of /iommufd/areas."""
    va: int
    bytes: int
    page: int
    queues: int
    pools: int
    arena: bool
    freed: bool


def _area(line):
    found = re.fullmatch(r"va=0x([0-9a-f]+) bytes=(\d+) page=(\d+) queues=(\d+) pools=(\d+)"
                         r"( arena)?( freed)?", line)
    return Area(int(found[1], 16), *map(int, found.groups()[1:5]), bool(found[6]), bool(found[7]))


def areas(connection):
    """All areas, asked for piece by piece, as an answer has only so many lines."""
    lines = []
    while True:
        more = connection.ask(f"/iommufd/areas,{len(lines)}")
        if not more:
            return [_area(line) for line in lines]
        lines += more


def arenas(connection):
    """/iommufd/arenas: a dictionary of numbers for each."""
    return [{name: int(value, 0) for name, value in re.findall(r"(\w+)=(\S+)", line)}
            for line in connection.ask("/iommufd/arenas")]
