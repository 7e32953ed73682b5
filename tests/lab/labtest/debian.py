# SPDX-License-Identifier: BSD-3-Clause
"""Debian's kernel (devtools/lab.sh --debian-kernel) and the files of its modules."""

import os

from labtest import lab, process, tap


def folder(which=""):
    """Where they are, with modules.dep; which: "modules" or "packaged", other than this boot's."""
    root = os.path.join(os.path.dirname(lab.MODULES), which) if which else lab.MODULES
    return os.path.join(root, "lib/modules", os.uname().release)


def name_of(file):
    """As the kernel has it."""
    return os.path.basename(file).partition(".")[0].replace("-", "_")


def modinfo(field, name):
    """Of what modprobe would load."""
    status, output = process.run(["modinfo", "-b", lab.MODULES, "-F", field, name])
    tap.equal(status, 0, f"modinfo {name}: {output}")
    return output.strip()


def modprobe(*words):
    """With --all if it is to load."""
    options = [] if words[0].startswith("-") else ["--all"]
    status, output = process.run(["modprobe", "--dirname", lab.MODULES, *options, *words])
    tap.equal(status, 0, f"modprobe {words}: {output}")


def users_of(name):
    """Files of the modules that need it, without those of DKMS."""
    found = []
    with open(f"{folder()}/modules.dep", encoding="ascii") as file:
        for line in file:
            user, _, needed = line.partition(":")
            if not user.startswith("updates/") and name in map(name_of, needed.split()):
                found.append(f"{folder()}/{user}")
    return found


def kernel_log():
    return process.run(["dmesg", "--color=never"])[1]


def insmod(file):
    """Without what it needs: its status, and what the kernel and insmod say."""
    before = kernel_log()
    status, output = process.run(["insmod", file])
    return status, kernel_log()[len(before):] + output
