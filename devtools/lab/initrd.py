# SPDX-License-Identifier: BSD-3-Clause
"""The lab's initrd: busybox, the guest's scripts and this run's settings.

It is written anew for every run (2 MB, some milliseconds), so it can never be stale and
needs no image tools. The format is "newc", linux/Documentation/driver-api/early-userspace/
buffer-format.rst.
"""

import os
import shlex
import stat

BUSYBOX = "/bin/busybox"
HERE = os.path.dirname(os.path.abspath(__file__))


def _entry(inode, name, mode, data=b""):
    encoded = name.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    record = header + encoded
    record += b"\0" * (-len(record) % 4) + data
    return record + b"\0" * (-len(record) % 4)


def _read(path):
    with open(path, "rb") as file:
        return file.read()


def shell_assignments(settings):
    """Settings as bash reads them: a list becomes an array."""
    lines = []
    for name, value in settings.items():
        if isinstance(value, (list, tuple)):
            lines.append(f"{name}=({' '.join(shlex.quote(str(word)) for word in value)})")
        else:
            lines.append(f"{name}={shlex.quote(str(value))}")
    return "\n".join(lines) + "\n"


def write(path, early_settings, settings, modules=()):
    """early_settings are for init (a POSIX shell), settings for guest.sh (bash); modules: files that
    init loads before anything else, in this order."""
    directory, script = stat.S_IFDIR | 0o755, stat.S_IFREG | 0o755
    entries = [(name, directory, b"") for name in ("bin", "proc", "mnt", "tree", "build", "userland",
                                              "kernel", "boot")]
    entries += [
        ("bin/busybox", script, _read(BUSYBOX)),
        ("init", script, _read(os.path.join(HERE, "init"))),
        ("early.env", script, shell_assignments(early_settings).encode()),
        ("guest.sh", script, _read(os.path.join(HERE, "guest.sh"))),
        ("lab.env", script, shell_assignments(settings).encode(errors="surrogateescape")),
    ]
    entries += [(f"boot/{os.path.basename(module)}", script, _read(module)) for module in modules]
    entries.append(("TRAILER!!!", 0, b""))
    with open(path, "wb") as image:
        for inode, (name, mode, data) in enumerate(entries, start=1):
            image.write(_entry(inode, name, mode, data))
