# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Runs steps and shows a person which one, for how long, and how many are left. All of
# it goes to stderr; what the steps themselves print goes to the log.

steps=0
step_number=0
step_group=
ticker=
child=

# How many steps the command will take.
expect_steps() {
	steps=$1
}

clock() {
	printf '%d:%02d' $(($1 / 60)) $(($1 % 60))
}

# On a terminal the line is rewritten every second. Elsewhere a line a minute tells that
# the step is still at work. A step may say how far it is: `echo 12% >"$DETAIL"`.
tick() {
	local title=$1 begin=$SECONDS shown=0 elapsed detail='' line idle
	exec {idle}<> <(:) # never has anything to read: a sleep without a process
	while :; do
		elapsed=$((SECONDS - begin))
		if [ -t 2 ]; then
			read -r line <"$DETAIL" && detail=$line
			printf '\r%s ... %d:%02d %s\e[K' "$title" $((elapsed / 60)) $((elapsed % 60)) "$detail" >&2
		elif [ $elapsed -ge $shown ] && [ $elapsed -ge 3 ]; then
			printf '%s ... %d:%02d\n' "$title" $((elapsed / 60)) $((elapsed % 60)) >&2
			shown=$((elapsed + 60))
		fi
		read -r -t 1 -u "$idle"
	done
}

stop_ticker() {
	[ -z "$ticker" ] || { kill "$ticker" && wait "$ticker"; } 2>/dev/null
	ticker=
}

# step TITLE FUNCTION [ARGUMENT...]: runs the function in a process group of its own, under
# `set -e`; its failure ends the command. Do not write `step ... || ...`: a condition would
# switch `set -e` off inside.
step() {
	local title begin=$SECONDS status
	step_number=$((step_number + 1))
	title="[$step_number/$steps] $1"
	shift
	printf '\n=== %s\n' "$title" >>"$LOG"
	DETAIL=$CACHE/tmp/$$-detail
	: >"$DETAIL"
	tick "$title" &
	ticker=$!
	set -m
	(
		set -e
		"$@"
	) >>"$LOG" 2>&1 </dev/null &
	step_group=$!
	set +m
	wait "$step_group"
	status=$?
	step_group=
	stop_ticker
	[ ! -t 2 ] || printf '\r\e[K' >&2
	if [ $status -ne 0 ]; then
		printf '%s: failed after %s; its last lines:\n' "$title" "$(clock $((SECONDS - begin)))"
		tail -n 15 "$LOG" | sed 's/^/  | /'
		printf 'The whole log: %s\n' "$LOG"
	else
		printf '%s: %s (%s)\n' "$title" "$(step_result)" "$(clock $((SECONDS - begin)))"
	fi >&2
	[ $status = 0 ] || exit 1
}

step_result() {
	if [ -s "$DETAIL" ]; then cat "$DETAIL"; else echo done; fi
}

# Holds the cache, or a file of one's own choice, against other runs for the rest of this step. The
# kernel drops the lock with the last process of the step, so it cannot become stale.
lock_cache() {
	exec 9>"${1:-$CACHE/lock}"
	if ! flock -n 9; then
		echo "waiting for another run" >"$DETAIL"
		flock 9
		: >"$DETAIL"
	fi
}

# Runs the command that the steps led to, so that a signal ends both. Its standard input
# is empty.
run_child() {
	local status
	"$@" </dev/null &
	child=$!
	wait $child
	status=$?
	child=
	return $status
}

finish() {
	local status=$?
	trap '' INT TERM HUP
	if [ -n "$step_group" ]; then
		kill -TERM -- "-$step_group" 2>/dev/null
		wait "$step_group" 2>/dev/null
		[ ! -t 2 ] || echo >&2
		echo "${0##*/}: interrupted; run it again to go on" >&2
	fi
	[ -z "$child" ] || { kill -TERM "$child" && wait "$child"; } 2>/dev/null
	stop_ticker
	remove_own_work
	exit $status
}

clean_up_at_exit() {
	trap finish EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
}
