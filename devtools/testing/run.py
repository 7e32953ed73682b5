# SPDX-License-Identifier: BSD-3-Clause
"""Runs the project's tests. Started by devtools/test.sh, which sets up and builds first."""

import argparse
import os
import signal
import sys

from beside import Beside
from lab_tests import LabTests
from meson_tests import MesonTests
from report import Filter, Report
from sanitized import SanitizedTests

DESCRIPTION = """\
Sets up, builds, and runs every test: the unit tests, the same under the compiler's
sanitizers, the tests on this machine (tools, style, another architecture), all by
`meson test`, and the tests of the lab in virtual machines. What only computes, style and
the builds with sanitizers, runs beside the others.

The last line tells the result: "N passed, M failed", and ", K skipped" if there are any.
If something waited in vain and was tried again, the line before it says how often and
what; nothing else is ever tried again."""


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="test.sh", description=DESCRIPTION, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--unit", action="store_true", help="only unit tests")
    parser.add_argument("--sanitize", action="store_true",
                        help="only unit tests under AddressSanitizer, UndefinedBehaviorSanitizer "
                             "and ThreadSanitizer")
    parser.add_argument("--host", action="store_true",
                        help="only the tests on this machine: tools, style, another architecture")
    parser.add_argument("--lab", action="store_true", help="only lab tests")
    parser.add_argument("--apps", action="store_true",
                        help="only the lab tests that no other choice here has: applications in "
                             "user spaces that take long to make the first time")
    parser.add_argument("--userland", metavar="SUITE", choices=["trixie", "sid"],
                        help="only the plugins' unit and lab tests, built and run in that Debian's "
                             "user space, with its compiler and its DPDK (debootstrapped once)")
    parser.add_argument("--list", action="store_true", help="name the tests, run none")
    parser.add_argument("filter", nargs="?", metavar="NAME-FILTER",
                        help="only tests whose name contains this, or matches it as a glob")
    options = parser.parse_args(arguments)
    chosen = options.unit or options.sanitize or options.host or options.lab
    if options.userland and (chosen or options.apps):
        parser.error("--userland goes with no other choice of tests")
    if options.apps and chosen:
        parser.error("--apps goes with no other choice of tests")
    if not (options.userland or options.apps or chosen):
        options.unit = options.sanitize = options.host = options.lab = True
    return options


def main():
    if sys.argv[1] == "--check":  # only whether the options make sense
        parse(sys.argv[2:])
        return 0
    build, log_name, *arguments = sys.argv[1:]
    options = parse(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda n, _: sys.exit(128 + n))
    with open(log_name, "a", encoding="utf-8", buffering=1) as log:
        report, wanted = Report(log), Filter(options.filter)
        kinds, beside = kinds_of(options, build, wanted, report)
        if options.list:
            for kind in kinds + beside:
                print("\n".join(kind.names()))
            return 0
        return run(kinds, beside, report)


def kinds_of(options, build, wanted, report):
    """Kinds of tests that run one after another, and those that begin beside them."""
    kinds, beside = [], []
    if options.unit:
        kinds.append(MesonTests(build, "unit", wanted, report))
    if options.host:
        kinds.append(MesonTests(build, "host", wanted, report))
        style = MesonTests(build, "style", wanted, report, patience=4, beside=True)
        beside.append(Beside(style))
    if options.lab:
        kinds.append(LabTests(build, wanted, report))
    if options.apps:
        kinds.append(LabTests(build, wanted, report, apps=True))
    if options.sanitize:
        beside.append(SanitizedTests(build, wanted, report))
    if options.userland:
        kinds += in_userland(options.userland, wanted, report)
    return kinds, beside


def in_userland(suite, wanted, report):
    """The tests of another user space, which devtools/test.sh has built the tree in."""
    build = os.environ["DPDK_IOMMUFD_USERLAND_BUILD"]
    enter = [os.environ["DPDK_IOMMUFD_IN_USERLAND"], suite]
    return [MesonTests(build, "unit", wanted, report, mark=suite, enter=enter),
            MesonTests(build, "hotpath", wanted, report, mark=suite, enter=enter),
            LabTests(build, wanted, report, userland=suite)]


def run(kinds, beside, report):
    try:
        for kind in beside:
            kind.start()
        for kind in kinds + beside:
            kind.run()
        return report.finish()
    except BrokenPipeError:  # nobody reads any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 128 + signal.SIGPIPE
    finally:
        for kind in beside:
            kind.stop()


if __name__ == "__main__":
    sys.exit(main())
