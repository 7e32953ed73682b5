#!/usr/bin/python3 -sS
# SPDX-License-Identifier: BSD-3-Clause
# host: --timeout 60
"""What labtest.tap prints of a test's end: "# timeout" stands before the "not ok" of a wait in vain
and of nothing else, for the runner tries that again."""

import contextlib
import io
import os
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "lab"))

from labtest import lab, process, tap, testpmd  # noqa: E402  pylint: disable=wrong-import-position


def late():
    raise process.Timeout("nothing came")


def wrong():
    tap.equal(1, 2, "a number")


def late_in_a_program():
    process.Process(["sleep", "60"]).wait_for("ready", 0.1)


def program_does_not_end():
    process.Process(["sleep", "60"]).wait(0.1)


def ended_early():
    process.Process(["true"]).wait_for("ready", 10)


def prompt_that_an_event_has_cut():
    text = "\nte\nPort 0: link state change event\nstpmd> "
    process.Process(["printf", text]).wait_for(r"\n" + testpmd.PROMPT, 10)


def part_of_a_prompt():
    text = "\nte\nPort 0: link state change event\nstp"
    process.Process(["printf", text]).wait_for(r"\n" + testpmd.PROMPT, 10)


def wrong_and_late_in_the_end():
    try:
        wrong()
    finally:
        late()


def late_and_late_in_the_end():
    try:
        late()
    finally:
        late()


def late_and_wrong_in_the_end():
    try:
        late()
    finally:
        wrong()


def too_long():
    with tap.deadline(1):
        process.Process(["sleep", "60"]).wait(30)


def cannot_run():
    raise tap.Skip("there is a reason")


def good():
    pass


def stuck():
    raise process.Stuck("it is in the kernel")


def unknown_name():
    sys.argv[1:] = ["a test", "one that there is not"]
    with contextlib.redirect_stdout(io.StringIO()):
        tap.main()


# The line before the one that gives the result, and that.
TIMEOUT = ("# timeout", "not ok")
FAILED = ("", "not ok")
PASSED = ("", "ok")
EXPECTED = {
    late: TIMEOUT, late_in_a_program: TIMEOUT, program_does_not_end: TIMEOUT,
    late_and_late_in_the_end: TIMEOUT, wrong: FAILED, wrong_and_late_in_the_end: FAILED,
    late_and_wrong_in_the_end: FAILED, ended_early: FAILED, too_long: FAILED, stuck: FAILED,
    cannot_run: PASSED, good: PASSED, prompt_that_an_event_has_cut: PASSED,
    part_of_a_prompt: FAILED,
}


def output_of(function):
    """What tap.main() prints of one test, and its exit status."""
    tap.forget()
    tap.test("a test")(function)
    sys.argv[1:] = []
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        try:
            tap.main()
        except SystemExit as end:
            return text.getvalue().splitlines(), end.code
    raise AssertionError("tap.main() has returned")


def main():
    lab.state = dict  # this machine has none of the guest's devices
    lab.clean_up = lambda: None
    print(f"1..{len(EXPECTED) + 1}")
    for number, (function, (before, words)) in enumerate(EXPECTED.items(), start=1):
        lines, status = output_of(function)
        at = next(at for at, line in enumerate(lines) if line.startswith(("ok 1", "not ok 1")))
        good_ = (lines[at].startswith(words + " 1 - a test") and status == (words != "ok") and
                 [line for line in lines if line == "# timeout"] == [before] * bool(before) and
                 (not before or lines[at - 1] == before))
        for line in [] if good_ else lines:
            print("#", line)
        print(f"{'ok' if good_ else 'not ok'} {number} - {function.__name__}", flush=True)
    tap.forget()
    tap.test("a test")(good)
    try:
        unknown_name()
    except SystemExit as end:
        code = end.code
    refused = code == "no test has 'one that there is not' in its name"
    print(f"{'ok' if refused else 'not ok'} {len(EXPECTED) + 1} - a name that no test has")


if __name__ == "__main__":
    main()
