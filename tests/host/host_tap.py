# SPDX-License-Identifier: BSD-3-Clause
"""For tests of devtools/testing: TAP, and what a run of the runner reports."""

import contextlib
import io
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(TREE, "devtools/testing"), os.path.join(TREE, "devtools/lab"),
                os.path.join(TREE, "devtools/lib")]

# pylint: disable-next=wrong-import-position
import report as reports  # noqa: E402

_points = 0


def check(name, actual, expected=True):
    global _points  # pylint: disable=global-statement
    _points += 1
    if actual != expected:
        for what, value in (("is", actual), ("expected", expected)):
            print(f"# {what}:")
            for line in str(value).splitlines() or [""]:
                print(f"#   {line}")
    print(f"{'ok' if actual == expected else 'not ok'} {_points} - {name}", flush=True)


def done():
    print(f"1..{_points}")


class Outcome:
    """What make(wanted, report), an object with run(), has told."""

    def __init__(self, make, pattern=None):
        text = io.StringIO()
        with tempfile.TemporaryFile("w") as log, contextlib.redirect_stdout(text):
            self.report = reports.Report(log)
            make(reports.Filter(pattern), self.report).run()
            self.status = self.report.finish()
        self.text = text.getvalue()
        self.lines = self.text.splitlines()

    def last(self, count=1):
        """The last lines, of which the one with the time is left out."""
        return [line for line in self.lines if " s; log: " not in line][-count:]

    def failed(self):
        return sorted(self.report.failures)
