#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Checks the style of every file of the tree: licence line, length, clang-format, shellcheck.
# Needs clang-format and shellcheck. Prints what is wrong; status 1 if anything is.

cd "$(dirname "$0")/.." || exit
for tool in clang-format shellcheck; do
	command -v $tool >/dev/null || {
		echo "check.sh: $tool is missing: apt-get install $tool" >&2
		exit 2
	}
done

MAX_LINES=400
failed=0
complain() {
	echo "$*"
	failed=1
}

while read -r file; do
	[ -f "$file" ] || continue
	case $file in
	*.md | *.rst | *.svg | *.png | LICENSE | tests/*/fixtures/*) continue ;;
	esac
	head -n 5 "$file" | grep -q 'SPDX-License-Identifier: BSD-3-Clause' ||
		complain "$file: no SPDX line"
	[ "$(wc -l <"$file")" -lt $MAX_LINES ] || complain "$file: $MAX_LINES lines or more"
	case $file in
	*.c | *.h | *.cpp | *.hpp) clang-format --dry-run -Werror "$file" || failed=1 ;;
	esac
	if head -n 1 "$file" | grep -qE '^#!.*\b(ba)?sh$'; then
		shellcheck -x -P SCRIPTDIR "$file" || failed=1
	fi
done < <(git ls-files --cached --others --exclude-standard)
exit $failed
