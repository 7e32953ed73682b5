# SPDX-License-Identifier: BSD-3-Clause
"""The unit tests once more, under the compiler's sanitizers:

    address, undefined   all of them
    thread               those of meson's suite `threads`: tables that are read while written

Each kind is a build folder of its own below the usual one, of the test programs only, in which
`meson test` runs. They are compiled while other tests run (beside.py), and run after these: some have
deadlines of milliseconds.
"""

import os
import shlex
import subprocess
import threading

from meson_tests import MesonTests, meson_tests
from process import step_back
from report import FAILED

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# What a finding does: the program ends with a status that is not 0, so its case fails.
OPTIONS = "halt_on_error=1:abort_on_error=0:exitcode=1:print_stacktrace=1"
ENVIRONMENT = {"ASAN_OPTIONS": OPTIONS, "UBSAN_OPTIONS": OPTIONS, "TSAN_OPTIONS": OPTIONS}
PATIENCE = 4  # times the limits of the plain programs
# Not optimised, and lines for the stack traces alone: a quarter of what -O2 -g takes to compile, and
# no access is gone before a sanitizer sees it.
BUILD_TYPE = ["-Dbuildtype=plain", "-Dc_args=-g1", "-Dcpp_args=-g1"]


class Kind:
    def __init__(self, name, sanitizers, library, suite):
        self.name = name
        self.sanitizers = sanitizers
        self.library = library  # proof that a program was built so
        self.suite = suite


KINDS = [Kind("asan", "address,undefined", "libasan.so", "unit"),
         Kind("tsan", "thread", "libtsan.so", "threads")]


class BuildFailed(Exception):
    """Its arguments: what failed, why, and the output's lines."""


class SanitizedTests:
    def __init__(self, build, wanted, report):
        self.build = build
        self.wanted = wanted
        self.report = report
        # Known before anything is built with sanitizers: the programs are the same.
        self.plain = {kind.name: MesonTests(build, kind.suite, wanted, report) for kind in KINDS}
        self._thread = None
        self._command = None
        self._stopped = False
        self._failures = {}

    def names(self):
        for kind in KINDS:
            for name in self.plain[kind.name].names():
                yield f"{kind.name}: {name}"

    def start(self):
        """Begins to compile, beside what else runs."""
        wanted = [kind for kind in KINDS if any(True for _ in self.plain[kind.name].names())]
        self._thread = threading.Thread(target=self._make_all, args=[wanted], daemon=True)
        self._thread.start()

    def stop(self):
        self._stopped = True
        if self._command:
            self._command.terminate()

    def run(self):
        if not self._thread:
            self.start()
        if self._thread.is_alive():
            self.report.section("waiting for the builds with sanitizers")
        self._thread.join()
        for kind in KINDS:
            if kind.name in self._failures:
                name, reason, output = self._failures[kind.name].args
                self.report.result(FAILED, f"{kind.name}: {name}", reason=reason, output=output)
            elif any(True for _ in self.plain[kind.name].names()):
                MesonTests(self._folder(kind), kind.suite, self.wanted, self.report, mark=kind.name,
                           environment=ENVIRONMENT, patience=PATIENCE).run()

    def _folder(self, kind):
        return os.path.join(self.build, kind.name)

    def _make_all(self, kinds):
        for kind in kinds:
            try:
                self._make(kind)
            except (BuildFailed, OSError, subprocess.SubprocessError) as error:
                failed = isinstance(error, BuildFailed)
                self._failures[kind.name] = error if failed else BuildFailed("build", str(error), [])

    def _make(self, kind):
        folder = self._folder(kind)
        with open(os.path.join(self.build, "configured"), encoding="utf-8") as file:
            options = shlex.split(file.read())
        options += [f"-Db_sanitize={kind.sanitizers}", "-Db_lundef=false", *BUILD_TYPE]
        self._configure(folder, options)
        names = {test["name"] for test in self.plain[kind.name].tests}
        programs = sorted({test["cmd"][0] for test in meson_tests(folder) if test["name"] in names})
        self._run(["ninja", "-C", folder, *(os.path.relpath(name, folder) for name in programs)])
        for program in programs:
            needs = subprocess.run(["ldd", program], stdout=subprocess.PIPE, text=True, check=True)
            if kind.library not in needs.stdout:
                raise BuildFailed(program, f"it was not built with {kind.library}", [])

    def _configure(self, folder, options):
        """Unless it is as it was; ninja sees by itself that a meson.build has changed."""
        stamp, text = os.path.join(folder, "configured"), shlex.join(options)
        before = None
        if os.path.exists(stamp) and os.path.exists(f"{folder}/build.ninja"):
            with open(stamp, encoding="utf-8") as file:
                before = file.read()
        if before != text:
            again = ["--reconfigure"] if os.path.isdir(f"{folder}/meson-info") else []
            self._run(["meson", "setup", *again, folder, TREE, *options])
            with open(stamp, "w", encoding="utf-8") as file:
                file.write(text)

    def _run(self, command):
        if self._stopped:
            raise BuildFailed(command[0], "it was stopped", [])
        self._command = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, start_new_session=True, preexec_fn=step_back)
        output, _ = self._command.communicate()
        self.report.note(output)
        if self._command.returncode != 0:
            raise BuildFailed(shlex.join(command[:3]), f"status {self._command.returncode}",
                              output.splitlines()[-20:])
