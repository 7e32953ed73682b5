#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC1003,SC2016
# devtools/lab.sh: what it passes in, what it gives back, and that it leaves nothing behind.

# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"
# A cache of its own, so that what is left there is this test's.
LAB_KERNEL=$(bash -c '. devtools/lib/setup.sh; kernel_image')
export LAB_KERNEL DPDK_IOMMUFD_CACHE=$WORK/cache

lab() {
	run devtools/lab.sh run --accel tcg "$@"
}

# --- arguments, without a VM ---
refuses() {
	run devtools/lab.sh "$@"
	status_is 2 && no_trace && [ -s "$WORK/err" ]
}
check "an unknown option is refused" refuses run --nisc 2 -- true
check "and named" err_has "--nisc"
check "an abbreviated option" refuses run --mem 2048 -- true
check "a number that is none" refuses run --nics two -- true
check "too many NICs" refuses run --nics 99 -- true
check "hugepages that do not fit" refuses run --memory 1024 --hugepages 600 -- true
check "the memory needed is told" err_has "at least 1712 is needed"
check "two words for the kernel in one" refuses run --kernel-argument "a b" -- true
check "no command" refuses run --nics 1
check "an unknown action" refuses boot -- true
check "a share that does not exist" refuses run --share /nonexistent -- true
check "a command for shell" refuses shell -- true
run devtools/lab.sh --help
check "--help" status_is 0
LAB_KERNEL=/nonexistent lab -- true
check "a kernel that does not exist is the lab's failure" status_is 125

# --- one machine: quoting, streams, exit status ---
mkdir "$WORK/share"
lab --nics 2 --peer --share "$WORK/share" -- sh -c '
	printf "<%s>" "$@"; echo to stderr >&2
	{ pwd; echo "$LAB_NICS"; echo "$LAB_PEER"; cat /sys/class/net/peer0/operstate
	  for nic in $LAB_NICS; do basename "$(readlink "/sys/bus/pci/devices/$nic/driver")"; done
	  ls /dev/vfio/devices; cat; } >"$LAB_JOB/seen"
	touch /usr/written 2>/dev/null || echo read-only >>"$LAB_JOB/seen"
	exit 42' sh 'two words' '' "it's" '"quoted"' '$HOME' '*' 'line
feed' '\' 'ünï'
check "exit status" status_is 42
check "arguments arrive as they are" out_is '<two words><><it'\''s><"quoted"><$HOME><*><line
feed><\><ünï>'
check "stderr is apart" err_has "to stderr"
seen() {
	printf '%s\n' "$TREE" "0000:01:00.0 0000:02:00.0" peer0 up vfio-pci vfio-pci \
		noiommu-vfio0 noiommu-vfio1 read-only | diff - "$WORK/share/seen" >&2
}
check "folder, NICs, peer, empty stdin, read-only root" seen

# --- ends that are not the command's own ---
nothing_left() {
	[ -z "$(ls "$WORK/cache/run")" ] && ! pgrep -f "$WORK/cache" >/dev/null
}
lab --numa 1 --kernel-argument sysctl.vm.max_map_count=7777 --kernel-argument last=word -- \
	sh -c 'cat /proc/sys/vm/max_map_count; tail -c 10 /proc/cmdline; kill -SEGV $$'
check "a signal" status_is 139
check "output before the signal; words for the kernel come last" out_is "7777
last=word
"
lab -- sh -c 'echo "<4>WARNING: on purpose" >/dev/kmsg; exit 7'
check "a kernel that complains" status_is 123
check "it is told about what" err_has "the guest's kernel complains:"
check "and how the command ended" err_has "own status was 7"
lab --timeout 5 -- sh -c 'echo started; sleep 100'
check "a time-out" status_is 124
check "it is told that time was up" err_has "timed out after 5 s"
check "output before the time-out" out_is "started
"
lab -- sh -c 'echo c >/proc/sysrq-trigger; sleep 100'
check "a kernel panic" status_is 125
check "its console is shown" err_has "Kernel panic"
LAB_ALIVE_LIMIT=1 lab -- sleep 100
check "a guest that gives no sign of life" status_is 122
check "it is told" err_has "has stood still for 1 s"
check "and where its CPUs were" err_has "NMI backtrace for cpu"
lab --nics 1 --no-bind -- sh -c 'sleep 300 & seq 200000'
check "an orphan does not hold the end up" status_is 0
check "long output is complete" diff -q "$WORK/out" <(seq 200000)
check "nothing is left of all these" nothing_left

devtools/lab.sh run --accel tcg -- sleep 100 >"$WORK/out" 2>"$WORK/err" </dev/null &
lab=$!
sleep 3
machine_runs() {
	pgrep -f "qemu.*$WORK/cache" >/dev/null
}
check "a machine is running" machine_runs
kill -TERM $lab
wait $lab
status=$?
check "SIGTERM ends it" status_is 143
check "and leaves nothing" nothing_left

devtools/lab.sh run --accel tcg -- sleep 100 >"$WORK/out" 2>"$WORK/err" </dev/null &
lab=$!
sleep 3
kill -KILL $lab
wait $lab 2>/dev/null
sleep 0.5
check "kill -9 leaves no QEMU" not machine_runs
lab -- true
check "and what it left is removed by the next run" nothing_left

done_testing
