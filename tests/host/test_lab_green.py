#!/usr/bin/python3 -sS
# SPDX-License-Identifier: BSD-3-Clause
"""That a red cannot turn green, with true machines: the guest's kernel complains during a test that
passes, and panics during the next file. Two machines are booted.

The tests are a second apart: the runner asks the kernel when it reads what a test has printed, and
one that follows at once could be ahead of it by then."""

import os
import sys
import tempfile

from host_tap import Outcome, check, done

import lab_tests

BUILD = os.environ["LAB_BUILD"]
FILES = {
    "test_1_complains.sh": """
echo 1..3
echo "ok 1 - before"
sleep 1
echo "<4>WARNING: on purpose" >/dev/kmsg
echo "ok 2 - during"
sleep 1
echo "ok 3 - after"
""",
    "test_2_panics.sh": """
echo 1..2
echo "ok 1 - before"
sleep 1
echo c >/proc/sysrq-trigger
echo "ok 2 - never"
""",
    "test_3_waits.sh": """
echo 1..1
echo "ok 1 - on another machine"
""",
}


def main():
    # The guest sees the build folder, wherever it is.
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="green-") as folder:
        for name, text in FILES.items():
            path = os.path.join(folder, name)
            with open(path, "w", encoding="ascii") as file:
                file.write("#!/bin/sh\n# lab: --numa 1 --memory 1024 --hugepages 0\n" + text)
            os.chmod(path, 0o755)
        outcome = Outcome(lambda wanted, report: lab_tests.LabTests(BUILD, wanted, report,
                                                                    folder=folder))
    check("the test during which the kernel complained has failed, and the file that it died of",
          outcome.failed(), ["lab/test_1_complains.sh: during", "lab/test_2_panics.sh"])
    check("what was fine passed, and another machine ran the rest", outcome.last(),
          ["4 passed, 2 failed"])
    check("what the kernel said is shown",
          any("# kernel: WARNING: on purpose" in line for line in outcome.lines))
    check("and what it died of", any("Kernel panic" in line for line in outcome.lines))
    check("nothing was tried again", "tried again" in outcome.text, False)
    done()


if __name__ == "__main__":
    sys.exit(main())
