# SPDX-License-Identifier: BSD-3-Clause
"""What the benchmarks' command lines have in common. devtools/bench.sh starts each twice: with
--check, to learn whether its options make sense before anything is set up, and then with the
build folder and the log before them."""

import argparse
import json
import os
import signal
import sys

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LAB = os.path.join(TREE, "devtools/lab.sh")
BENCH = os.path.join(TREE, "devtools/bench")


def parser(name, description, epilog=None):
    result = argparse.ArgumentParser(
        prog=f"bench.sh {name}", description=description, epilog=epilog, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--json", action="store_true",
                        help="print one JSON object and nothing else on stdout")
    return result


def up_to(most):
    """The type of an option: a number from 1 to most."""
    def number(text):
        value = int(text)
        if not 1 <= value <= most:
            raise argparse.ArgumentTypeError(f"from 1 to {most}")
        return value
    return number


def progress(text):
    print(text, file=sys.stderr, flush=True)


def lab_failed(status, log, last=()):
    sys.exit(f"bench.sh: the lab ended with status {status}; see {log.name}\n" + "".join(last))


def run(parse, measure, show, complete=lambda result: True):
    """measure(build, log, options) gives what --json prints and show() makes a text of. The
    status is 1 if it is not complete()."""
    if sys.argv[1] == "--check":
        parse(sys.argv[2:])
        return 0
    build, log_name, *arguments = sys.argv[1:]
    options = parse(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda n, _: sys.exit(128 + n))
    with open(log_name, "a", encoding="utf-8", buffering=1) as log:
        result = measure(build, log, options)
    print(json.dumps(result) if options.json else show(result))
    return 0 if complete(result) else 1
