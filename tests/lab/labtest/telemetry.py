# SPDX-License-Identifier: BSD-3-Clause
"""DPDK's telemetry socket, as usertools/dpdk-telemetry.py talks to it."""

import contextlib
import json
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
