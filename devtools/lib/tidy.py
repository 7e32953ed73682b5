# SPDX-License-Identifier: BSD-3-Clause
"""Runs clang-tidy over files of a built tree, but not over one that it has found clean before.

    tidy.py STAMPS BUILD DATABASE all|quick FILE...

DATABASE is the folder of the compile_commands.json for clang-tidy. "quick" is what each run of the
tests can pay for: names, and clang's thread-safety analysis. What is clean by all is so by these.

The stamp of a clean file is an empty file in STAMPS, named by a hash of all that clang-tidy judges
by: its version, .clang-tidy, the compiler's command, the file, and every header of the tree that
ninja knows it to include. A header from outside the tree counts by its path, size and time. Stamps
do not depend on where the tree is.
"""

import concurrent.futures
import hashlib
import json
import os
import subprocess
import sys
import time

CLANG_TIDY = os.environ.get("CLANG_TIDY", "clang-tidy")
KEEP = 30 * 86400  # seconds that a stamp is kept without being used
QUICK = "-*,readability-identifier-naming,clang-diagnostic-thread-safety*"


def output_of(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def dependencies(build):
    """{object: the files it was made from}, of ninja's log."""
    found, files = {}, []
    for line in output_of("ninja", "-C", build, "-t", "deps").splitlines():
        if line.startswith("    "):
            files.append(os.path.normpath(os.path.join(build, line.strip())))
        elif ": #deps" in line and "STALE" not in line:
            files = found.setdefault(line.partition(": #deps")[0], [])
        else:
            files = []
    return found


class Tidy:
    def __init__(self, stamps, build, database, quick):
        self.tree = os.getcwd()
        build = os.path.abspath(build)
        self.stamps = stamps
        self.database = database
        self.quick = quick
        self.includes = dependencies(build)
        self.hashes = {}
        with open(os.path.join(database, "compile_commands.json"), encoding="utf-8") as file:
            self.commands = {}
            for entry in json.load(file):
                path = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
                self.commands.setdefault(path, []).append(entry)
        self.common = output_of(CLANG_TIDY, "--version") + self._digest(
            os.path.join(self.tree, ".clang-tidy"))
        os.makedirs(stamps, exist_ok=True)

    def _digest(self, path):
        if path not in self.hashes:
            if path.startswith(self.tree + "/"):
                with open(path, "rb") as file:
                    self.hashes[path] = hashlib.sha256(file.read()).hexdigest()
            else:
                status = os.stat(path)
                self.hashes[path] = f"{path} {status.st_size} {status.st_mtime}"
        return self.hashes[path]

    def stamp(self, path):
        """The path of a file's stamp; None if ninja does not know what the file includes."""
        path = os.path.abspath(path)
        text = [self.common, self._digest(path)]
        for entry in self.commands.get(path, []):
            text.append(entry["command"].replace(self.tree, "."))
            if entry["output"] not in self.includes:
                return None
            text += sorted(self._digest(name) for name in self.includes[entry["output"]])
        if len(text) == 2:
            return None
        return os.path.join(self.stamps, hashlib.sha256("\n".join(text).encode()).hexdigest())

    def check(self, path):
        """Returns what clang-tidy has found; None if nothing."""
        stamp = self.stamp(path)
        for known in (stamp, f"{stamp}-quick") if self.quick else (stamp,):
            if stamp and os.path.exists(known):
                os.utime(known)
                return None
        command = [CLANG_TIDY, "-p", self.database, "--quiet", "--extra-arg=-Wthread-safety"]
        if self.quick:
            command.append(f"--checks={QUICK}")
            stamp = stamp and f"{stamp}-quick"
        run = subprocess.run([*command, path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                             text=True, check=False)
        if run.returncode != 0 or run.stdout.strip():
            return run.stdout or f"{path}: clang-tidy ended with status {run.returncode}\n"
        if stamp:
            with open(stamp, "w", encoding="ascii"):
                pass
        return None

    def forget_old(self):
        for name in os.listdir(self.stamps):
            path = os.path.join(self.stamps, name)
            if os.stat(path).st_mtime < time.time() - KEEP:
                os.unlink(path)


def main():
    stamps, build, database, which, *files = sys.argv[1:]
    tidy = Tidy(stamps, build, database, which == "quick")
    failed = False
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(tidy.check, files):
            if found:
                failed = True
                print(found, end="", flush=True)
    tidy.forget_old()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
