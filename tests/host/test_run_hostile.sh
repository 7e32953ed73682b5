#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# host: --timeout 60
# dpdk-iommufd-run as root against files that a user made: nothing of them runs as root, nothing
# hangs, no file of root's changes.

# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"

RUN=${LAB_BUILD:-$TREE/build}/app/run/dpdk-iommufd-run

if [ "$(id -u)" != 0 ]; then
	echo "1..0 # SKIP only root can give anything away"
	exit
fi
USER_ID=65534
chmod 755 "$WORK"
HOME_OF_USER=$WORK/home
mkdir "$HOME_OF_USER" && chown $USER_ID "$HOME_OF_USER"
STOLEN=$WORK/stolen # only root could make it

# with_interpreter NAME INTERPRETER: a dynamically linked program that names this file.
with_interpreter() {
	cc -Wl,--dynamic-linker="$2" -o "$HOME_OF_USER/$1" "$WORK/main.c"
}
echo 'int main(void) { return 0; }' >"$WORK/main.c"

# in_time NAME ARGUMENT...: ends by itself, with a sentence and no trace of foreign code.
in_time() {
	local name=$1
	shift
	run timeout --signal=KILL 10 "$RUN" "$@"
	check "$name: ends" not status_is 137
	check "  one sentence at most" test "$(wc -l <"$WORK/err")" -le 1
	check "  nothing of it ran" not test -e "$STOLEN"
	rm -f "$STOLEN"
}

printf '#!/bin/sh\nid >%s\n' "$STOLEN" >"$HOME_OF_USER/interpreter"
printf '#!/bin/sh\nid >%s\nsleep 60\n' "$STOLEN" >"$HOME_OF_USER/sleeper"
chmod 755 "$HOME_OF_USER/interpreter" "$HOME_OF_USER/sleeper"
with_interpreter program "$HOME_OF_USER/interpreter"
with_interpreter slow "$HOME_OF_USER/sleeper"
check "negative control: the kernel runs that interpreter" \
	sh -c "'$HOME_OF_USER/interpreter' '$HOME_OF_USER/program' && rm '$STOLEN'"
for options in "" --dry-run; do
	in_time "an interpreter of the user's $options" --user $USER_ID $options -- \
		"$HOME_OF_USER/program"
	in_time "one that sleeps $options" --user $USER_ID $options -- "$HOME_OF_USER/slow"
	in_time "as root $options" $options -- "$HOME_OF_USER/program"
done

mkfifo "$HOME_OF_USER/fifo" && chmod 755 "$HOME_OF_USER/fifo"
in_time "a FIFO" --user $USER_ID -- "$HOME_OF_USER/fifo"
mkfifo "$HOME_OF_USER/libfifo.so"
cc -shared -o "$WORK/libfifo.so" "$WORK/main.c"
cc -Wl,--no-as-needed -o "$HOME_OF_USER/needs-fifo" "$WORK/main.c" -L"$WORK" -lfifo \
	-Wl,-rpath,"$HOME_OF_USER"
in_time "a library that is a FIFO" --user $USER_ID -- "$HOME_OF_USER/needs-fifo"
ln -s /dev/zero "$HOME_OF_USER/zero"
in_time "a link to a device" --user $USER_ID -- "$HOME_OF_USER/zero"
cp "$HOME_OF_USER/program" "$HOME_OF_USER/sparse" && truncate -s 1T "$HOME_OF_USER/sparse"
in_time "a file of 1 TiB" --user $USER_ID -- "$HOME_OF_USER/sparse"
ln -s loop "$HOME_OF_USER/loop"
in_time "a link to itself" --user $USER_ID -- "$HOME_OF_USER/loop"

# What he cannot read he is told nothing of.
mkdir -m 700 "$WORK/secret"
cp "$HOME_OF_USER/program" "$WORK/secret/"
in_time "a program below a closed folder" --user $USER_ID -- "$WORK/secret/program"
check "  it is as if it were not there" err_has "there is no program"
cp /bin/true "$HOME_OF_USER/closed" && chmod 711 "$HOME_OF_USER/closed"
in_time "one that he may only execute" --user $USER_ID -- "$HOME_OF_USER/closed"
check "  the sentence says so" err_has "cannot be read by the user"

# A file that changes while it is looked at.
cp /bin/true "$HOME_OF_USER/changing"
(while :; do
	head -c 400 /dev/urandom | dd of="$HOME_OF_USER/changing" conv=notrunc status=none
	truncate -s $((RANDOM % 4096)) "$HOME_OF_USER/changing"
	cat /bin/true >"$HOME_OF_USER/changing"
done) &
writer=$!
changing=0
for _ in $(seq 50); do
	timeout --signal=KILL 10 "$RUN" --user $USER_ID -- "$HOME_OF_USER/changing" \
		>"$WORK/out" 2>"$WORK/err" </dev/null
	status=$?
	[ $status = 1 ] || changing=$((changing + 1))
done
kill $writer && wait $writer 2>/dev/null
check "a program that changes meanwhile: 50 times one sentence" test $changing = 0

# ignore_children COMMAND...: with SIGCHLD ignored, as some supervisors start programs.
ignore_children() {
	python3 -c 'import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execvp(sys.argv[1], sys.argv[1:])' "$@"
}
run ignore_children "$RUN" --user $USER_ID -- "$HOME_OF_USER/fifo"
check "SIGCHLD ignored by the caller: the answer is the same" err_has "there is no program"

done_testing
