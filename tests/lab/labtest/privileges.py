# SPDX-License-Identifier: BSD-3-Clause
"""Programs with fewer privileges than root has: prefixes of their command lines, and device
nodes and plugins that another user can reach."""

import contextlib
import os
import resource
import shutil

from labtest import lab

UID = 1000
# Bits of linux/capability.h, as /proc/PID/status shows them.
IPC_LOCK, SYS_RAWIO = 1 << 14, 1 << 17


def user(*capabilities):
    """As an ordinary user with these ambient capabilities ("sys_rawio") and no other."""
    listed = "-all" + "".join(f",+{name}" for name in capabilities)
    return ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups",
            f"--inh-caps={listed}", f"--ambient-caps={listed}", f"--bounding-set={listed}"]


def root_without(capability):
    """As root with all capabilities but one."""
    return ["setpriv", f"--bounding-set=-{capability}", f"--inh-caps=-{capability}"]


def memlock(limit):
    """For `preexec`: with this RLIMIT_MEMLOCK in bytes."""
    return lambda: resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))


@contextlib.contextmanager
def owned(*paths):
    """The nodes belong to the user for a while."""
    before = [(path, os.stat(path)) for path in paths]
    try:
        for path in paths:
            os.chown(path, UID, UID)
        yield
    finally:
        for path, stat in before:
            os.chown(path, stat.st_uid, stat.st_gid)


@contextlib.contextmanager
def reachable_plugins():
    """Copies of the plugins where every user reaches them and nobody else may write: EAL takes
    no plugin from below a folder that others can write to."""
    folder = "/run/labtest-plugins"
    os.mkdir(folder, 0o755)
    try:
        yield [word for path in (lab.BUS, lab.MEMPOOL, lab.PMD)
               for word in ("-d", shutil.copy(path, folder))]
    finally:
        shutil.rmtree(folder)
