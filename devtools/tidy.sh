#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs clang-tidy (.clang-tidy) over the C++ files of a built tree: devtools/tidy.sh [--quick] [FILE...].
# --quick: names alone, and whether who reaches a member that a mutex guards holds the mutex
# (bus/core/sys/thread_annotations.hpp). What it has found clean, in this tree or another, is passed over until something changes that it
# was judged by (lib/tidy.py). Needs clang-tidy and build/compile_commands.json (devtools/setup.sh).
# Status 1 if it finds anything.

# shellcheck source=lib/common.sh
. "$(dirname "$0")/lib/common.sh"
cd "$TREE" || exit
command -v clang-tidy >/dev/null || {
	echo "tidy.sh: clang-tidy is missing: apt-get install clang-tidy" >&2
	exit 2
}
[ -f "$BUILD/compile_commands.json" ] || {
	echo "tidy.sh: there is no $BUILD/compile_commands.json: run devtools/setup.sh" >&2
	exit 2
}

# Without what only gcc knows.
mkdir -p "$BUILD/tidy"
sed 's/ -fno-tree-loop-distribute-patterns\| -mno-stv\| -Wno-maybe-uninitialized//g' \
	"$BUILD/compile_commands.json" >"$BUILD/tidy/compile_commands.json"
which=all
if [ "${1:-}" = --quick ]; then
	which=quick
	shift
fi
if [ $# = 0 ]; then
	mapfile -t files < <(tree_files | grep -E '^(app|bus|drivers|mempool)/.*\.cpp$')
	[ ${#files[@]} -gt 0 ] || die "found no file to check below $TREE"
	set -- "${files[@]}"
fi
exec "${PYTHON[@]}" "$LIB/tidy.py" "$CACHE/tidy" "$BUILD" "$BUILD/tidy" $which "$@"
