# SPDX-License-Identifier: BSD-3-Clause
"""Runs one virtual machine: streams the command's output, returns its exit status, and
leaves nothing behind whatever happens.

The guest talks over virtio serial ports, each the far end of a socket pair:
  stdout, stderr  the command's output, byte for byte, then the end mark
  control         lines: "start", "alive" every 2 s, "exit STATUS" or "error TEXT"
  console         an interactive terminal, for `lab.sh shell`
The kernel's own console goes to a file. A guest that is no longer alive gets an NMI, at
which its kernel panics and says where every CPU stood.
"""

import ctypes
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from kernel_log import COMPLAINT, FATAL, complaints_in

FAILED = 125  # the lab, not the command, failed
TIMED_OUT = 124  # the command
COMPLAINED = 123  # the command has ended, and the guest's kernel has said that something is wrong
NO_ANSWER = 122  # the lab was waited for in vain, and its kernel says of nothing that it is wrong
BOOT_LIMIT = float(os.environ.get("LAB_BOOT_LIMIT", 120))  # seconds until the command starts
ALIVE_LIMIT = float(os.environ.get("LAB_ALIVE_LIMIT", 60))  # seconds without a sign of life
PANIC_LIMIT = 20  # seconds that the panic may take
CONSOLE_LINES = 15
PR_SET_PDEATHSIG = 1


class LabError(Exception):
    """The lab could not do its work; the text says why, and status is what lab.sh ends with."""

    def __init__(self, text, status=FAILED):
        super().__init__(text)
        self.status = status


class RunFolder:
    """A folder for one run, removed at its end, or by a later run if this one is killed."""

    def __init__(self, parent):
        os.makedirs(parent, exist_ok=True)
        self._remove_stale(parent)
        self.path = tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=parent)

    @staticmethod
    def _remove_stale(parent):
        for name in os.listdir(parent):
            owner = name.split("-")[0]
            if owner.isdigit() and not os.path.exists(f"/proc/{owner}"):
                shutil.rmtree(os.path.join(parent, name), ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

    def file(self, name):
        return os.path.join(self.path, name)

    def folder(self, name):
        path = self.file(name)
        os.mkdir(path)
        return path


class Stream:
    """Copies what a port says up to the end mark to a file descriptor."""

    def __init__(self, target, end_mark):
        self.target = target
        self.mark = b"\0" + end_mark.encode() + b"\0"
        self.held = b""  # what could be the beginning of the mark
        self.ended = False

    def feed(self, data):
        data = self.held + data
        position = data.find(self.mark)
        if position >= 0:
            self.ended = True
            self.held = b""
            data = data[:position]
        else:
            keep = next((n for n in range(min(len(data), len(self.mark) - 1), 0, -1)
                         if data.endswith(self.mark[:n])), 0)
            self.held = data[len(data) - keep:]
            data = data[:len(data) - keep]
        while data:
            data = data[os.write(self.target, data):]


def _die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _interrupted(number, _frame):
    raise SystemExit(128 + number)


class Supervisor:
    """Boots the machine and watches it until the command ends."""

    def __init__(self, console_log, end_mark, interactive=False):
        self.console_log = console_log
        self.interactive = interactive
        self.streams = {}
        names = ["control", "monitor"]
        if interactive:
            names.append("console")
        else:
            self.streams = {"stdout": Stream(1, end_mark), "stderr": Stream(2, end_mark)}
            names += self.streams
        pairs = {name: socket.socketpair() for name in names}
        self.ours = {name: pair[0] for name, pair in pairs.items()}
        self.theirs = {name: pair[1] for name, pair in pairs.items()}
        self.control_text = b""
        self.started = False
        self.last_sign = None
        self.status = None
        self.error = None

    def channels(self):
        return {name: end.fileno() for name, end in self.theirs.items()}

    def run(self, command_line, timeout):
        """Returns the command's exit status; raises LabError if there is none."""
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, _interrupted)
        # A reader of our output that goes away ends the run as SIGPIPE would.
        qemu = subprocess.Popen(
            command_line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, pass_fds=list(self.channels().values()),
            start_new_session=True, preexec_fn=_die_with_parent)
        try:
            for end in self.theirs.values():
                end.close()
            self._watch(qemu, timeout)
        except BrokenPipeError:
            raise SystemExit(128 + signal.SIGPIPE) from None
        finally:
            qemu.kill()
            said = qemu.stdout.read().decode(errors="replace").strip()
            qemu.wait()
        self._judge(said)
        return self.status

    def _watch(self, qemu, timeout):
        selector = selectors.DefaultSelector()
        for name, end in self.ours.items():
            if name != "monitor":  # what QEMU answers there is of no use
                selector.register(end, selectors.EVENT_READ, name)
        if self.interactive:
            selector.register(sys.stdin, selectors.EVENT_READ, "keyboard")
        deadline = time.monotonic() + BOOT_LIMIT
        running = False
        while not self._finished():
            if self.started and not running:
                running = True
                deadline = time.monotonic() + timeout if timeout else None
            if running and time.monotonic() > self.last_sign + ALIVE_LIMIT:
                status = self._status_of_silence()
                self._provoke_panic(qemu)
                raise LabError(f"the guest has stood still for {ALIVE_LIMIT:g} s", status)
            if deadline and time.monotonic() > deadline:
                if not running:
                    self._show_console()
                    raise LabError(f"the guest did not start the command in {BOOT_LIMIT:g} s",
                                   self._status_of_silence())
                self.status = TIMED_OUT
                print(f"lab: timed out after {timeout:g} s", file=sys.stderr, flush=True)
                self._show_console()
                return
            events = selector.select(0.2)
            for key, _ in events:
                self._handle(selector, key)
            if not events and qemu.poll() is not None:
                return

    def _status_of_silence(self):
        """A kernel that has complained is not merely slow."""
        return FAILED if complaints_in(self._console()) else NO_ANSWER

    def _ask_qemu(self, command, **arguments):
        """The answer as text; nothing if QEMU itself stands still."""
        request = {"execute": command, "arguments": arguments}
        try:
            self.ours["monitor"].sendall(json.dumps(request).encode() + b"\n")
            time.sleep(0.5)
            return self.ours["monitor"].recv(65536).decode()
        except OSError:
            return ""

    def _provoke_panic(self, qemu):
        self.ours["monitor"].settimeout(1)
        self._ask_qemu("qmp_capabilities")
        # The guest's root: a request that QEMU has not taken, not finished, or not announced?
        said = self._ask_qemu("x-query-virtio-queue-status", queue=0,
                              path="/machine/peripheral/root/virtio-backend")
        print("lab: the queue of the root file system:", said.strip(), file=sys.stderr)
        self._show_threads(qemu.pid)
        self._ask_qemu("inject-nmi")
        deadline = time.monotonic() + PANIC_LIMIT
        while time.monotonic() < deadline and qemu.poll() is None:
            time.sleep(0.1)
        self._show_console(self._fatal_line())

    def _finished(self):
        return self.error or (self.status is not None and
                              all(stream.ended for stream in self.streams.values()))

    def _handle(self, selector, key):
        if key.data == "keyboard":
            data = os.read(sys.stdin.fileno(), 4096)
            self.ours["console"].sendall(data)
            if not data:
                selector.unregister(key.fileobj)
            return
        try:
            data = key.fileobj.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            selector.unregister(key.fileobj)
        elif key.data == "control":
            self._obey(data)
        elif key.data == "console":
            os.write(1, data)
        else:
            self.streams[key.data].feed(data)

    def _obey(self, data):
        self.control_text += data
        *lines, self.control_text = self.control_text.split(b"\n")
        for line in lines:
            word, _, rest = line.decode(errors="replace").partition(" ")
            self.last_sign = time.monotonic()
            if word == "start":
                self.started = True
            elif word == "exit":
                self.status = int(rest)
            elif word == "error":
                self.error = rest

    def _judge(self, said):
        if self.error:
            raise LabError(self.error)
        fatal = self._fatal_line()
        if fatal is not None:
            self._show_console(fatal)
            raise LabError("the guest's kernel failed")
        if self.status is None:
            self._show_console()
            raise LabError("the virtual machine ended before the command did" +
                           (f"; QEMU says: {said}" if said else ""))
        complaints = complaints_in(self._console())
        if complaints:
            for line in complaints[:CONSOLE_LINES]:
                print("lab: the guest's kernel complains:", line, file=sys.stderr)
            print(f"lab: the command's own status was {self.status}", file=sys.stderr)
            self.status = COMPLAINED

    def _fatal_line(self):
        """Where the console begins to tell what the machine died of; None if it has not."""
        lines = [line.decode(errors="replace") for line in self._console().splitlines()]
        if not any(FATAL.search(line) for line in lines):
            return None
        return next(number for number, line in enumerate(lines)
                    if FATAL.search(line) or COMPLAINT.search(line))

    @staticmethod
    def _show_threads(pid):
        for task in sorted(os.listdir(f"/proc/{pid}/task"), key=int):
            words = []
            for name in ("comm", "wchan", "syscall"):
                try:
                    with open(f"/proc/{pid}/task/{task}/{name}", encoding="ascii") as file:
                        words.append(file.read().split()[0])
                except OSError:
                    words.append("?")
            print("lab: QEMU's thread", *words, file=sys.stderr)

    def _console(self):
        try:
            with open(self.console_log, "rb") as file:
                return file.read()
        except FileNotFoundError:
            return b""

    def _show_console(self, first=None):
        lines = self._console().splitlines()
        lines = lines[-CONSOLE_LINES:] if first is None else lines[first:first + 3 * CONSOLE_LINES]
        if lines:
            print("lab: the guest's console:", file=sys.stderr)
        for line in lines:
            print("  |", line.decode(errors="replace").rstrip(), file=sys.stderr)
