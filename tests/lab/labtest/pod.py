# SPDX-License-Identifier: BSD-3-Clause
"""A container as its engine makes one: a root, a /dev and namespaces of its own, an unprivileged
user with the usual limits, and of this project's a socket and a hugetlbfs."""

import contextlib
import os
import shutil
import subprocess

from labtest import lab, privileges

ROOT = "/run/labtest-pod"
LIMIT = 8 << 20  # bytes; RLIMIT_MEMLOCK where nobody has changed it


@contextlib.contextmanager
def files(socket_folder, user=privileges.UID):
    """Makes the root; the folder of the socket is at the same path in it."""
    os.mkdir(ROOT, 0o755)

    def mount(*words):
        subprocess.run(["mount", *words], check=True, timeout=20)

    mount("-t", "tmpfs", "-o", "mode=0755", "none", ROOT)
    try:
        # Read-only as the host's are: where the tree is too, whatever folder that is below.
        for name in os.listdir("/"):
            path = os.path.join("/", name)
            if name in ("dev", "proc", "run", "tmp") or not os.path.isdir(path):
                continue
            if os.path.islink(path):
                os.symlink(os.readlink(path), ROOT + path)
                continue
            os.mkdir(ROOT + path)
            mount("--rbind", "--make-rslave", path, ROOT + path)
        for name in ("dev", "proc", "run", "tmp"):
            os.mkdir(f"{ROOT}/{name}", 0o755)
        os.chmod(f"{ROOT}/tmp", 0o1777)
        os.makedirs(ROOT + socket_folder)
        mount("--bind", socket_folder, ROOT + socket_folder)
        for name in ("null", "urandom"):
            lab.write(f"{ROOT}/dev/{name}", "")
            mount("--bind", f"/dev/{name}", f"{ROOT}/dev/{name}")
        os.mkdir(f"{ROOT}/dev/hugepages")
        mount("-t", "hugetlbfs", "-o", f"pagesize=2M,uid={user},gid={user},mode=0700", "none",
              f"{ROOT}/dev/hugepages")
        yield
    finally:
        subprocess.run(["umount", "-R", "-l", ROOT], check=False, timeout=20)
        shutil.rmtree(ROOT, ignore_errors=True)


def command(*words, environment=(), user=privileges.UID):
    """The command line of one in it, of its first process."""
    inside = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--inh-caps=-all",
              "--bounding-set=-all", "--no-new-privs", "env", *environment, *words]
    return ["unshare", "--mount", "--pid", "--ipc", "--uts", "--net", "--fork", "--kill-child",
            "sh", "-c", f"mount -t proc proc {ROOT}/proc && mount --make-rprivate / && "
            f"exec prlimit --memlock={LIMIT}:{LIMIT} chroot {ROOT} \"$@\"", "sh",
            *map(str, inside)]


def pid_of(name):
    """As the host sees the newest process of this name."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if lab.read(f"/proc/{pid}/comm") == name:
                found.append(int(pid))
    return max(found, default=None)
