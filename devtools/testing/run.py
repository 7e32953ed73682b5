# SPDX-License-Identifier: BSD-3-Clause
"""Runs the project's tests. Started by devtools/test.sh, which sets up and builds first."""

import argparse
import os
import signal
import sys

from lab_tests import TapTests
from report import Filter, Report
from sanitized import SanitizedTests
from unit import UnitTests

DESCRIPTION = """\
Sets up, builds, and runs every test: the unit tests, the same under the compiler's
sanitizers, the tests of the tools on this machine, and the tests of the lab in virtual
machines. The last line tells the result."""


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="test.sh", description=DESCRIPTION, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--unit", action="store_true", help="only unit tests")
    parser.add_argument("--sanitize", action="store_true",
                        help="only unit tests under AddressSanitizer, UndefinedBehaviorSanitizer "
                             "and ThreadSanitizer")
    parser.add_argument("--host", action="store_true", help="only tests of the tools")
    parser.add_argument("--lab", action="store_true", help="only lab tests")
    parser.add_argument("--list", action="store_true", help="name the tests, run none")
    parser.add_argument("filter", nargs="?", metavar="NAME-FILTER",
                        help="only tests whose name contains this, or matches it as a glob")
    options = parser.parse_args(arguments)
    if not (options.unit or options.sanitize or options.host or options.lab):
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
        kinds = []
        if options.unit:
            kinds.append(UnitTests(build, wanted, report))
        if options.sanitize:
            kinds.append(SanitizedTests(build, wanted, report))
        if options.host:
            kinds.append(TapTests("host", build, wanted, report))
        if options.lab:
            kinds.append(TapTests("lab", build, wanted, report))
        if options.list:
            for kind in kinds:
                print("\n".join(kind.names()))
            return 0
        try:
            for kind in kinds:
                kind.run()
            return report.finish()
        except BrokenPipeError:  # nobody reads any more
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return 128 + signal.SIGPIPE


if __name__ == "__main__":
    sys.exit(main())
