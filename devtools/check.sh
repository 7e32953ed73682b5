#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Checks the style of every file of the tree: licence line, length, clang-format, shellcheck.
# Needs clang-format and shellcheck. Prints what is wrong; status 1 if anything is.

# shellcheck source=lib/common.sh
. "$(dirname "$0")/lib/common.sh"
cd "$TREE" || exit
for tool in clang-format shellcheck; do
	command -v $tool >/dev/null || {
		echo "check.sh: $tool is missing: apt-get install $tool" >&2
		exit 2
	}
done

MAX_LINES=400
failed=0
files=0
sources=() scripts=()
complain() {
	echo "$*"
	failed=1
}

while read -r file; do
	[ -f "$file" ] || continue
	files=$((files + 1))
	case $file in
	*.md | *.rst | *.svg | *.png | LICENSE | tests/*/fixtures/*) continue ;;
	debian/changelog | debian/source/*) continue ;; # formats without comments
	esac
	head -n 5 "$file" | grep -q 'SPDX-License-Identifier: BSD-3-Clause' ||
		complain "$file: no SPDX line"
	[ "$(wc -l <"$file")" -lt $MAX_LINES ] || complain "$file: $MAX_LINES lines or more"
	case $file in
	*.c | *.h | *.cpp | *.hpp) sources+=("$file") ;;
	esac
	case $file in
	tests/host/test_*)
		grep -qF "'${file##*/}'" tests/host/meson.build ||
			complain "$file: tests/host/meson.build does not run it"
		;;
	esac
	if head -n 1 "$file" | grep -qE '^#!.*\b(ba)?sh$'; then
		scripts+=("$file")
	fi
done < <(tree_files)
in_batches() {
	xargs -0 -P "$(nproc)" -n 8 "$@" || failed=1
}
in_batches clang-format --dry-run -Werror < <(printf '%s\0' "${sources[@]}")
in_batches shellcheck -x -P SCRIPTDIR < <(printf '%s\0' "${scripts[@]}")
[ $files -gt 0 ] || complain "found no file to check below $TREE"
exit $failed
