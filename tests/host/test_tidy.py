#!/usr/bin/python3 -sS
# SPDX-License-Identifier: BSD-3-Clause
"""devtools/lib/tidy.py judges again what has changed, and nothing else; and what each run of the tests
asks for (tidy.sh --quick) finds what it is to find."""

import json
import os
import subprocess
import sys
import tempfile

from host_tap import TREE, check, done

TIDY = os.path.join(TREE, "devtools/lib/tidy.py")
# It notes what it is asked about, and finds fault with what says so.
CLANG_TIDY = """#!/bin/sh
if [ "$1" = --version ]; then echo 1; exit; fi
for file; do :; done
basename "$file" >>"$TIDY_ASKED"
! grep BAD "$file"
"""
# For the true clang-tidy: a member that is reached without its mutex, and a name.
FAULTS = """#include "core/sys/mutex.hpp"
struct Counter {
    iommufd::Mutex mutex;
    int value GUARDED_BY(mutex) = 0;
    int next() { return ++value; }
};
int BadName() {
    return Counter().next();
}
"""
NINJA = """#!/bin/sh
echo "a.o: #deps 2, deps mtime 1 (VALID)"
echo "    ../a.cpp"
echo "    ../common.hpp"
echo
echo "b.o: #deps 1, deps mtime 1 (VALID)"
echo "    ../b.cpp"
"""


class Tree:
    def __init__(self, folder):
        self.folder = folder
        os.makedirs(os.path.join(folder, "build"))
        for name in (".clang-tidy", "a.cpp", "b.cpp", "common.hpp"):
            self.write(name, "")
        self.write("clang-tidy", CLANG_TIDY)
        self.write("ninja", NINJA)
        entries = [{"directory": f"{folder}/build", "file": f"../{name}.cpp", "output": f"{name}.o",
                    "command": f"c++ -I{folder} -c ../{name}.cpp"} for name in "ab"]
        self.write("build/compile_commands.json", json.dumps(entries))

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(path, 0o755)

    def run(self, stamps, which="all"):
        """(status, the files that clang-tidy was asked about)"""
        asked = os.path.join(self.folder, "asked")
        with open(asked, "w", encoding="ascii"):
            pass
        done_ = subprocess.run(
            ["/usr/bin/python3", "-sS", TIDY, stamps, "build", "build", which, "a.cpp", "b.cpp"],
            cwd=self.folder, stdout=subprocess.DEVNULL, check=False,
            env={"PATH": f"{self.folder}:/usr/bin:/bin", "TIDY_ASKED": asked})
        with open(asked, encoding="ascii") as file:
            return done_.returncode, sorted(file.read().split())


def found_by_quick(folder):
    """What clang-tidy itself says of FAULTS, by the rules of this tree."""
    with open(os.path.join(folder, "faults.cpp"), "w", encoding="ascii") as file:
        file.write(FAULTS)
    os.symlink(os.path.join(TREE, ".clang-tidy"), os.path.join(folder, ".clang-tidy"))
    entry = {"directory": folder, "file": "faults.cpp", "output": "faults.o",
             "command": f"c++ -std=c++20 -I{TREE}/bus -c faults.cpp"}
    with open(os.path.join(folder, "compile_commands.json"), "w", encoding="ascii") as file:
        json.dump([entry], file)
    with open(os.path.join(folder, "ninja"), "w", encoding="ascii") as file:
        file.write("#!/bin/sh\n")
    os.chmod(os.path.join(folder, "ninja"), 0o755)
    run = subprocess.run(
        ["/usr/bin/python3", "-sS", TIDY, f"{folder}/stamps", folder, folder, "quick", "faults.cpp"],
        cwd=folder, stdout=subprocess.PIPE, text=True, check=False,
        env={"PATH": f"{folder}:/usr/bin:/bin"})
    return run.returncode, [text in run.stdout for text in (
        "requires holding mutex 'mutex'", "invalid case style for function 'BadName'")]


def main():
    with tempfile.TemporaryDirectory() as folder:
        check("a member without its mutex and a wrong name are found", found_by_quick(folder),
              (1, [True, True]))
    with tempfile.TemporaryDirectory() as folder:
        stamps = os.path.join(folder, "stamps")
        tree = Tree(os.path.join(folder, "one"))
        check("all the first time", tree.run(stamps), (0, ["a.cpp", "b.cpp"]))
        check("nothing the second", tree.run(stamps), (0, []))
        check("nothing in another tree with the same text",
              Tree(os.path.join(folder, "two")).run(stamps), (0, []))
        tree.write("common.hpp", "// changed")
        check("who includes a header that has changed", tree.run(stamps), (0, ["a.cpp"]))
        tree.write("b.cpp", "BAD")
        check("a file that has changed, and its fault", tree.run(stamps), (1, ["b.cpp"]))
        check("a fault again and again", tree.run(stamps), (1, ["b.cpp"]))
        tree.write("b.cpp", "")
        check("not what was fine before", tree.run(stamps), (0, []))
        check("nothing by less that was clean by all", tree.run(stamps, "quick"), (0, []))
        tree.write(".clang-tidy", "# changed")
        check("all under other rules", tree.run(stamps, "quick"), (0, ["a.cpp", "b.cpp"]))
        check("nothing by as much again", tree.run(stamps, "quick"), (0, []))
        check("all by all that was clean by less", tree.run(stamps), (0, ["a.cpp", "b.cpp"]))
    done()


if __name__ == "__main__":
    sys.exit(main())
