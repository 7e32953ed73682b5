#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What a person sees of setup.sh, test.sh, quickstart.sh and lab.sh when something is wrong.

# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"

export DPDK_IOMMUFD_CACHE=$WORK/cache

# --- another system gets one sentence ---
refused() {
	status_is 1 && err_has "$1" && no_trace && [ "$(wc -l <"$WORK/err")" = 1 ]
}
untouched() {
	[ ! -e "$DPDK_IOMMUFD_CACHE" ]
}

printf 'ID=ubuntu\nVERSION_ID="24.04"\nPRETTY_NAME="Ubuntu 24.04.1 LTS"\n' >"$WORK/ubuntu"
printf 'ID=fedora\nVERSION_ID=42\nPRETTY_NAME="Fedora Linux 42"\n' >"$WORK/fedora"
printf 'ID=debian\nVERSION_ID="13"\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n' >"$WORK/trixie"

for command in setup.sh test.sh quickstart.sh; do
	DPDK_IOMMUFD_OS_RELEASE=$WORK/ubuntu run devtools/$command
	check "$command on Ubuntu says what is missing" refused "this is Ubuntu 24.04.1 LTS"
done
DPDK_IOMMUFD_OS_RELEASE=$WORK/fedora run devtools/quickstart.sh --json
check "quickstart.sh on Fedora says what is missing" refused "this is Fedora Linux 42"
check "and nothing on stdout" out_is ""
DPDK_IOMMUFD_OS_RELEASE=$WORK/trixie run devtools/lab.sh run -- true
check "lab.sh on another Debian says what is missing" refused "this is Debian GNU/Linux 13"
DPDK_IOMMUFD_OS_RELEASE=$WORK/fedora run devtools/setup.sh --user
check "setup.sh --user on Fedora says what is missing" refused "needs Debian 12 or 13"
# Debian 13 is taken, so that it is root that is missing.
DPDK_IOMMUFD_OS_RELEASE=$WORK/trixie run setpriv --reuid=1000 --regid=1000 --clear-groups \
	--inh-caps=-all,+dac_read_search --ambient-caps=-all,+dac_read_search \
	/bin/bash devtools/setup.sh --user
check "on Debian 13 it goes on" refused "needs root"
DPDK_IOMMUFD_OS_RELEASE=$WORK/none run devtools/setup.sh
check "no os-release at all" refused "needs Debian 12"
# The tree may lie in a folder of root's alone: the user may read everything.
run setpriv --reuid=1000 --regid=1000 --clear-groups --inh-caps=-all,+dac_read_search \
	--ambient-caps=-all,+dac_read_search /bin/bash devtools/setup.sh
check "without root" refused "needs root"
printf 'MemAvailable: %d kB\n' $((7 << 20)) >"$WORK/meminfo"
DPDK_IOMMUFD_MEMINFO=$WORK/meminfo run devtools/test.sh
check "too little memory" refused "needs 8 GiB of free memory; this machine has 7 GiB"
DPDK_IOMMUFD_CACHE="$WORK/a b" run devtools/setup.sh
check "a path that EAL's arguments cannot have" refused "this is '$WORK/a b'"
DPDK_IOMMUFD_BUILD=$WORK/build run devtools/quickstart.sh
check "a build folder that EAL takes no plugin from" refused "$WORK/build lies below one that anyone"
check "a refused run leaves no cache" untouched

# --- where the tree is built ---
# builds_in NAME FOLDER PATTERN: a clone in the folder.
builds_in() {
	mkdir -p "$2/devtools"
	cp -r devtools/lib "$2/devtools"
	run bash -c ". '$2/devtools/lib/common.sh'; build_folder"
	check "$1" grep -qxE "$3" "$WORK/out"
}
closed=$(mktemp -d -p "$(realpath "${LAB_BUILD:-build}")")
builds_in "a tree that only its owner writes to is built in its own folder" "$closed" "$closed/build"
rm -r "$closed"
DPDK_IOMMUFD_CACHE=/opt/cache builds_in "one below a world-writable folder in the cache" \
	"$WORK/clone" '/opt/cache/builds/[0-9a-f]{12}'
builds_in "or, if that is there too, in the system's" \
	"$WORK/clone" '/var/cache/dpdk-iommufd/builds/[0-9a-f]{12}'

# --- wrong arguments ---
for command in setup.sh quickstart.sh; do
	run devtools/$command --nonsense
	check "$command refuses an unknown option" status_is 2
	run devtools/$command --help
	check "$command --help" status_is 0
done
run devtools/test.sh --nonsense
check "test.sh refuses an unknown option" status_is 2
check "and names it" err_has "--nonsense"
run devtools/test.sh --help
check "test.sh --help" status_is 0

# --- steps ---
steps() {
	printf '. devtools/lib/setup.sh\nclean_up_at_exit\nopen_log steps\nexpect_steps 1\n%s\n' "$1" \
		>"$WORK/steps.sh"
	run bash "$WORK/steps.sh"
}

steps 'fails() { seq 100; false; echo not reached; }; step "a failing step" fails; echo >&2 went on'
check "a failing step ends the command" status_is 1
check "at once" not err_has "went on"
check "it is named" err_has "[1/1] a failing step: failed"
check "its last lines are shown" err_has "  | 100"
check "what follows is not run" test -z "$(grep -h 'not reached' "$WORK"/cache/logs/*.log)"
log=$(sed -n 's/^The whole log: //p' "$WORK/err")
check "the log is where it says" grep -qx 1 "$log"

# shellcheck disable=SC2016
steps 'slow() { work_folder; sleep 987 & sleep 987; }; (sleep 1; kill -TERM $$) & step slow slow'
check "an interrupted step ends the command" status_is 143
check "and says so" err_has "interrupted"
no_leftovers() {
	[ -z "$(ls "$WORK/cache/tmp")" ] && ! pgrep -f "^sleep 987" >/dev/null
}
check "no process and no folder is left" no_leftovers

mkdir "$WORK/cache/tmp/999999999-dead" "$WORK/cache/tmp/$$-alive"
steps 'true'
check "work of a killed run is removed later" test ! -e "$WORK/cache/tmp/999999999-dead"
check "work of a running one is not" test -e "$WORK/cache/tmp/$$-alive"

# --- the kernel's configuration ---
fragment() {
	printf '. devtools/lib/setup.sh\nKERNEL_FRAGMENT=%s\ncheck_fragment %s\n' \
		"$WORK/fragment" "$WORK/config" >"$WORK/check.sh"
	run bash "$WORK/check.sh"
}
printf 'CONFIG_A=y\nCONFIG_B=n\nCONFIG_C=8\n' >"$WORK/fragment"
printf 'CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=8\n' >"$WORK/config"
fragment
check "a fragment that survived" status_is 0
printf 'CONFIG_B=y\nCONFIG_C=8\n' >"$WORK/config"
fragment
check "a fragment that did not" status_is 1
check "the lines that were lost are listed" grep -qx "  CONFIG_A=y" "$WORK/out"
check "those that must be off too" grep -qx "  CONFIG_B=n" "$WORK/out"

done_testing
