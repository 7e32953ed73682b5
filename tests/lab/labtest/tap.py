# SPDX-License-Identifier: BSD-3-Clause
"""Tests and checks. A file registers functions with @test and ends with main(); each runs
with a deadline, and after the last one the guest must be as it was before the first.

    from labtest import tap

    @tap.test("frames come back")
    def frames():
        tap.equal(received, sent, "frames received")

    tap.main()

Arguments, if any, are parts of names: only the tests that match run, and each part has to.

A test that waited for something in vain, and has found nothing wrong, has "# timeout" on the line
before its "not ok": that alone may be tried again.
"""

import contextlib
import signal
import sys
import time
import traceback

from labtest import lab, process

LIMIT = 90  # seconds for one test, unless it says otherwise

_tests = []


class Skip(Exception):
    """The test cannot run here; the argument says why."""


class Failure(Exception):
    """A check did not hold."""


def test(name, limit=LIMIT):
    """Registers a function as a test that may take limit seconds."""

    def register(function):
        _tests.append((name, function, limit))
        return function

    return register


def forget():
    """No test is registered any more."""
    _tests.clear()


def check(condition, message):
    if not condition:
        raise Failure(message)


def equal(actual, expected, what):
    check(actual == expected, f"{what}: {_short(actual)}, expected {_short(expected)}")


def contains(text, part, what):
    check(part in text, f"{what} does not say {part!r}:\n{text}")


def note(message):
    """A line for whoever reads the output."""
    for line in str(message).splitlines():
        print("#", line, flush=True)


def _short(value):
    text = repr(value)
    return text if len(text) < 500 else text[:500] + "..."


@contextlib.contextmanager
def deadline(seconds):
    """The block fails after so many seconds."""

    def expire(_signal, _frame):
        raise Failure(f"the test took longer than {seconds} seconds")

    before = signal.signal(signal.SIGALRM, expire)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _is_timeout(error):
    """Whether it and all that led to it are waits in vain: a check that has failed before, while
    something is cleared away, counts."""
    if not isinstance(error, process.Timeout):
        return False
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return earlier is None or _is_timeout(earlier)


def _run(function, limit):
    """Runs one test: (passed, directive, lines to explain, whether it was a wait in vain)."""
    try:
        with deadline(limit):
            function()
        process.kill_all(but_shared=True)
        return True, "", [], False
    except Skip as reason:
        return True, f" # SKIP {reason}", [], False
    except Exception as error:  # pylint: disable=broad-except
        lines = [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}: {frame.line}"
                 for frame in traceback.extract_tb(error.__traceback__)]
        lines += process.last_words()
        process.kill_all()
        return False, "", [f"{type(error).__name__}: {error}"] + lines, _is_timeout(error)


def main():
    """Runs the registered tests, then checks what they have left behind."""
    for part in sys.argv[1:]:
        if not any(part in name for name, _, _ in _tests):
            sys.exit(f"no test has {part!r} in its name")
    wanted = [entry for entry in _tests
              if not sys.argv[1:] or any(part in entry[0] for part in sys.argv[1:])]
    before = lab.state()

    def nothing_left():
        process.kill_all()
        lab.clean_up()
        after = lab.state()
        changed = {key: f"{after[key]}, was {before[key]}" for key in before
                   if after[key] != before[key]}
        check(not changed, f"what has changed in the guest: {changed}")

    wanted.append(("nothing is left behind", nothing_left, LIMIT))
    print(f"1..{len(wanted)}", flush=True)
    failed = 0
    for number, (name, function, limit) in enumerate(wanted, start=1):
        start = time.monotonic()
        passed, directive, lines, timeout = _run(function, limit)
        failed += not passed
        for line in lines:
            note(line)
        note(f"{time.monotonic() - start:.1f} s")
        if timeout:
            note("timeout")
        print(f"{'ok' if passed else 'not ok'} {number} - {name}{directive}", flush=True)
    if process.startups:
        note(f"{len(process.startups)} starts of DPDK programs took {sum(process.startups):.1f} s")
    sys.exit(1 if failed else 0)
