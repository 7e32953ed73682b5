#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs clang-tidy (.clang-tidy) over the C++ files of a built tree: devtools/tidy.sh [FILE...].
# Needs clang-tidy and build/compile_commands.json (devtools/setup.sh). Status 1 if it finds
# anything.

cd "$(dirname "$0")/.." || exit
BUILD=${DPDK_IOMMUFD_BUILD:-build}
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
if [ $# = 0 ]; then
	mapfile -t files < <(git ls-files 'app/*.cpp' 'bus/*.cpp' 'drivers/*.cpp' 'mempool/*.cpp')
	set -- "${files[@]}"
fi
printf '%s\0' "$@" | xargs -0 -P "$(nproc)" -n 4 clang-tidy -p "$BUILD/tidy" --quiet 2>/dev/null ||
	exit 1
