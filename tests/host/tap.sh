# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# For tests of the tools on this machine: TAP, and a folder that is removed at the end.

TREE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
cd "$TREE" || exit
points=0

# check NAME COMMAND...: passes if the command succeeds. After a failure, what the last
# `run` printed is shown.
check() {
	local name=$1
	shift
	points=$((points + 1))
	if "$@"; then
		echo "ok $points - $name"
	else
		echo "# failed: $*"
		echo "# status ${status:-none}"
		sed 's/^/# stdout: /' "$WORK/out"
		sed 's/^/# stderr: /' "$WORK/err"
		echo "not ok $points - $name"
	fi
}

# skip REASON NAME...: tests that cannot run here; each says so.
skip() {
	local reason=$1 name
	shift
	for name in "$@"; do
		points=$((points + 1))
		echo "ok $points - $name # SKIP $reason"
	done
}

# run COMMAND...: keeps its status, $WORK/out and $WORK/err.
run() {
	"$@" >"$WORK/out" 2>"$WORK/err" </dev/null
	status=$?
}

status_is() {
	[ "$status" = "$1" ]
}

out_is() {
	diff <(printf '%s' "$1") "$WORK/out" >&2
}

err_has() {
	grep -qF -- "$1" "$WORK/err"
}

no_trace() {
	! grep -qE 'line [0-9]+:|Traceback|command not found' "$WORK/err"
}

not() {
	! "$@"
}

done_testing() {
	echo "1..$points"
}
