#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs clang's thread-safety analysis over the C++ files of bus/ and mempool/, or over the FILEs
# given, with the flags of a configured tree: who reaches a member that a mutex guards holds the
# mutex (bus/core/sys/thread_annotations.hpp). First it is shown that a violation is found. Needs
# clang++ and build/compile_commands.json (devtools/setup.sh). Status 1 if it finds anything.

cd "$(dirname "$0")/.." || exit
BUILD=$(realpath -m "${DPDK_IOMMUFD_BUILD:-build}")
CLANG=${CLANG:-clang++}
command -v "$CLANG" >/dev/null || {
	echo "thread-safety.sh: $CLANG is missing: apt-get install clang" >&2
	exit 2
}
[ -f "$BUILD/compile_commands.json" ] || {
	echo "thread-safety.sh: there is no $BUILD/compile_commands.json: run devtools/setup.sh" >&2
	exit 2
}
WARNINGS=(-std=c++20 -fsyntax-only -Wthread-safety -Werror)
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

cat >"$WORK/violation.cpp" <<END
#include "core/sys/mutex.hpp"
struct Counter {
    iommufd::Mutex mutex;
    int value GUARDED_BY(mutex) = 0;
    int next() { return ++value; }
};
int main() { return Counter().next(); }
END
if "$CLANG" "${WARNINGS[@]}" -I bus "$WORK/violation.cpp" 2>"$WORK/err" ||
	! grep -q 'requires holding mutex' "$WORK/err"; then
	echo "thread-safety.sh: $CLANG does not find a member that is reached without its mutex:" >&2
	cat "$WORK/err" >&2
	exit 1
fi

[ $# != 0 ] || {
	mapfile -t files < <(git ls-files --cached --others --exclude-standard 'bus/*.cpp' 'mempool/*.cpp')
	set -- "${files[@]}"
}
# A line of flags for each file: the include folders and definitions it is compiled with.
python3 - "$BUILD" "$@" >"$WORK/list" <<'END' || exit
import json, os, shlex, sys

build, files = sys.argv[1], sys.argv[2:]
commands = {}
for entry in json.load(open(os.path.join(build, "compile_commands.json"))):
    path = os.path.realpath(os.path.join(entry["directory"], entry["file"]))
    commands.setdefault(path, entry)
for file in files:
    entry = commands.get(os.path.realpath(file))
    if entry is None:
        sys.exit(f"thread-safety.sh: {file} is in no target of {build}: reconfigure it")
    words, flags = iter(shlex.split(entry["command"])), []
    for word in words:
        if word in ("-isystem", "-include", "-I"):
            flags += [word, next(words)]
        elif word.startswith(("-I", "-D", "-isystem", "-march=")):
            flags.append(word)
    print(entry["directory"], shlex.join(flags + [os.path.realpath(file)]), sep="\t")
END
export CLANG
# shellcheck disable=SC2016 # the inner shell expands them
xargs -d '\n' -P "$(nproc)" -n 1 bash -c '
	cd "${0%%	*}" || exit 255
	eval "set -- ${0#*	}"
	"$CLANG" '"${WARNINGS[*]}"' "$@"
' <"$WORK/list" || exit 1
echo "thread-safety.sh: nothing found in $# files"
