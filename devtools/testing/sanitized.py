# SPDX-License-Identifier: BSD-3-Clause
"""The unit tests once more, under the compiler's sanitizers:

    address, undefined   all of them
    thread               those of meson's suite `threads`: tables that are read while written

Each kind is a build of its own beside the usual one, of the test programs only.
"""

import os
import shlex
import subprocess

from report import FAILED
from unit import UnitTests, meson_tests

# What a finding does: the program ends with a status that is not 0, so its case fails.
OPTIONS = "halt_on_error=1:abort_on_error=0:exitcode=1:print_stacktrace=1"
ENVIRONMENT = {"ASAN_OPTIONS": OPTIONS, "UBSAN_OPTIONS": OPTIONS, "TSAN_OPTIONS": OPTIONS}


class Kind:
    def __init__(self, name, sanitizers, library, suite):
        self.name = name
        self.sanitizers = sanitizers
        self.library = library  # proof that a program was built so
        self.suite = suite


KINDS = [Kind("asan", "address,undefined", "libasan.so", "unit"),
         Kind("tsan", "thread", "libtsan.so", "threads")]


class SanitizedTests:
    def __init__(self, build, wanted, report):
        self.build = build
        self.wanted = wanted
        self.report = report
        # Known before anything is built with sanitizers: the programs are the same.
        self.plain = UnitTests(build, wanted, report)

    def names(self):
        for kind in KINDS:
            for name in self.plain.of_suite(kind.suite).names():
                yield f"{kind.name}: {name}"

    def run(self):
        for kind in KINDS:
            chosen = self.plain.of_suite(kind.suite)
            if not any(True for _ in chosen.names()):
                continue
            self.report.section(f"unit tests with -fsanitize={kind.sanitizers}")
            folder = os.path.join(self.build, kind.name)
            if self._made(kind, folder, {test["name"] for test in chosen.tests}):
                UnitTests(folder, self.wanted, self.report, mark=kind.name,
                          environment=ENVIRONMENT).of_suite(kind.suite).run()

    def _made(self, kind, folder, names):
        """Configures and builds; a failure is reported."""
        with open(os.path.join(self.build, "configured"), encoding="utf-8") as file:
            options = shlex.split(file.read())
        options += [f"-Db_sanitize={kind.sanitizers}", "-Db_lundef=false",
                    "-Dbuildtype=debugoptimized"]
        source = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        again = ["--reconfigure"] if os.path.exists(f"{folder}/build.ninja") else []
        if not self._ran(kind, ["meson", "setup", *again, folder, source, *options]):
            return False
        programs = sorted({test["cmd"][0] for test in meson_tests(folder)
                           if test["name"] in names})
        targets = [os.path.relpath(program, folder) for program in programs]
        if not self._ran(kind, ["ninja", "-C", folder, *targets]):
            return False
        for program in programs:
            needs = subprocess.run(["ldd", program], stdout=subprocess.PIPE, text=True, check=True)
            if kind.library not in needs.stdout:
                self.report.result(FAILED, f"{kind.name}: {program}",
                                   reason=f"it was not built with {kind.library}")
                return False
        return True

    def _ran(self, kind, command):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        self.report.note(done.stdout)
        if done.returncode != 0:
            self.report.result(FAILED, f"{kind.name}: {shlex.join(command[:3])}",
                               reason=f"status {done.returncode}",
                               output=done.stdout.splitlines()[-20:])
        return done.returncode == 0
