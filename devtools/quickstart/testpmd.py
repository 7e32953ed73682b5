# SPDX-License-Identifier: BSD-3-Clause
"""Drives an interactive dpdk-testpmd, and reads what the kernel knows about it."""

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import time
import tty

PROMPT = b"testpmd> "
START_LIMIT = 90  # seconds
COMMAND_LIMIT = 20
QUIT_LIMIT = 30


class TestpmdError(Exception):
    """testpmd did not do what it was told; carries what it printed last."""

    def __init__(self, problem, output):
        text = output.decode(errors="replace").replace("\r", "")
        super().__init__(problem + "; its last lines:\n" + "\n".join(text.splitlines()[-12:]))


class Testpmd:
    """`with Testpmd(command) as testpmd`: started at a prompt, ended with `quit`."""

    def __init__(self, command):
        self.output = b""
        ours, theirs = pty.openpty()
        tty.setraw(theirs)  # no echo, no CRLF
        self.terminal = ours
        self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs,
                                        start_new_session=True)
        os.close(theirs)

    def __enter__(self):
        try:
            self._wait_for_prompt(START_LIMIT)
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                os.write(self.terminal, b"quit\n")
                self._read_until_end(QUIT_LIMIT)
        finally:
            self._kill()

    @property
    def pid(self):
        """Of testpmd itself, which dpdk-iommufd-run starts as its child."""
        if not self.process.args[0].endswith("dpdk-iommufd-run"):
            return self.process.pid
        for name in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", encoding="ascii") as file:
                if file.read().rpartition(")")[2].split()[1] == str(self.process.pid):
                    return int(name)
        raise ProcessLookupError("testpmd has ended")

    def command(self, text):
        """Returns what it printed up to the next prompt."""
        os.write(self.terminal, text.encode() + b"\n")
        return self._wait_for_prompt(COMMAND_LIMIT)

    def packets(self):
        """Time, and the packets received and sent so far, of all ports together."""
        text = self.command("show port stats all")
        now = time.monotonic()
        return now, *(sum(int(number) for number in re.findall(rf"{way}-packets:\s*(\d+)", text))
                      for way in ("RX", "TX"))

    def mpps(self, seconds):
        """Million packets that it forwards per second, by our clock."""
        begin, _, before = self.packets()
        time.sleep(seconds)
        end, _, after = self.packets()
        return (after - before) / (end - begin) / 1e6

    def status(self, field):
        """A field of /proc/PID/status."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            for line in file:
                name, _, value = line.partition(":")
                if name == field:
                    return value.strip()
        raise KeyError(field)

    def hugepages_by_node(self):
        """{NUMA node: hugepages of its memory}."""
        nodes = {}
        with open(f"/proc/{self.pid}/numa_maps", encoding="ascii", errors="replace") as file:
            for line in file:
                if " huge " in line:
                    for node, pages in re.findall(r" N(\d+)=(\d+)", line):
                        nodes[int(node)] = nodes.get(int(node), 0) + int(pages)
        return nodes

    def _read(self, deadline):
        """More output, or b"" at the end of the process."""
        remaining = deadline - time.monotonic()
        if remaining <= 0 or not select.select([self.terminal], [], [], remaining)[0]:
            raise TestpmdError("testpmd does not answer", self.output)
        try:
            data = os.read(self.terminal, 65536)
        except OSError:  # EIO: the other end is closed
            data = b""
        self.output += data
        return data

    def _wait_for_prompt(self, limit):
        begin = len(self.output)
        deadline = time.monotonic() + limit
        while PROMPT not in self.output[begin:]:
            if not self._read(deadline):
                status = self.process.wait()
                raise TestpmdError(f"testpmd ended with status {status}", self.output)
        return self.output[begin:].decode(errors="replace")

    def _read_until_end(self, limit):
        deadline = time.monotonic() + limit
        while self._read(deadline):
            pass
        if self.process.wait() != 0:
            raise TestpmdError(f"testpmd ended with status {self.process.returncode}", self.output)

    def _kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self.terminal)
