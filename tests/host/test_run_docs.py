#!/usr/bin/python3 -sS
# SPDX-License-Identifier: BSD-3-Clause
# host: --timeout 60
"""The manual page and the completion of dpdk-iommufd-run have the options of --help, no more and no
less, and both are well-formed and installed."""

import os
import re
import subprocess

from host_tap import TREE, check, done

RUN = os.path.join(os.environ.get("LAB_BUILD", f"{TREE}/build"), "app/run/dpdk-iommufd-run")
MANUAL = f"{TREE}/app/run/dpdk-iommufd-run.1"
COMPLETION = f"{TREE}/app/run/dpdk-iommufd-run.bash"


def output(*words):
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, timeout=30).stdout


def options(text):
    return set(re.findall(r"--[a-z][a-z-]+", text)) - {"--total-num-mbufs"}


def complete(*words):
    """What completion offers for the last word, as bash calls it."""
    script = f"""
. {COMPLETION}
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_dpdk_iommufd_run "$1" "${{@: -1}}" "${{@: -2:1}}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    return output("bash", "--norc", "-c", script, "bash", "dpdk-iommufd-run", *words).split()


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


HELP = output(RUN, "--help")
# Of other programs, in examples and remedies; those at the left margin are its own.
OWN = set(re.findall(r"^  (--[a-z-]+)", HELP, re.M))
USAGE = options(HELP.partition("\n\n")[0])

check("--help explains more than a few options", len(OWN) >= 14)
check("its usage names no option that it does not explain", USAGE - OWN, set())
manual = read(MANUAL).replace("\\-", "-")
headed = set(re.findall(r"^\.TP\n\.B[RI]* (--[a-z-]+)", manual, re.M))
check("the manual page explains those of --help", headed, OWN)
check("the test sees what is missing: negative control",
      set(re.findall(r"^\.TP\n\.B[RI]* (--[a-z-]+)", manual.replace(".BI --serve", ".BI --x"), re.M))
      != OWN)
shown = options(manual.partition(".SH DESCRIPTION")[0])
check("its synopsis has all but those of a kind of their own", shown, OWN)
check("groff has nothing to say of it",
      output("groff", "-man", "-Tutf8", "-ww", "-z", MANUAL), "")
check("and its exit statuses are those of --help",
      [number for number in ("126", "127", "2", "1") if number not in manual], [])

offered = complete("")
check("completion offers those of --help", set(offered) - {"--"}, OWN)
check("  and the end of options", "--" in offered)
check("  a part of one", complete("--ke"), ["--keep-capability"])
check("  after a flag another option", "--user" in complete("--dry-run", ""))
check("  a user", complete("--user", "roo"), ["root"])
check("  a user after an equals sign", complete("--user", "=", "roo"), ["root"])
check("  after a user an option", complete("--user", "root", "--dry"), ["--dry-run"])
check("  a capability", complete("--keep-capability", "CAP_NET_A"), ["CAP_NET_ADMIN"])
check("  a socket's folder", complete("--serve", "/et"), ["/etc"])
check("  a command", "true" in complete("--", "tru"))
check("  its arguments: files", complete("--", "cat", "/et"), ["/etc"])
devices = sorted(os.listdir("/sys/bus/pci/devices")) if os.path.isdir("/sys/bus/pci/devices") else []
if devices:
    parts = re.split(r"(:)", devices[0])
    check("  a device, whose address bash breaks at colons",
          all(one in [device.split(":")[-1] for device in devices]
              for one in complete("--device", *parts)) and complete("--device", *parts) != [])
check("bash reads it without a word", output("bash", "-n", COMPLETION), "")

build = read(f"{TREE}/app/run/meson.build")
check("meson installs the manual page", "install_man('dpdk-iommufd-run.1')" in build)
check("  and the completion", "bash-completion" in build)
done()
