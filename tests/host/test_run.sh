#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# host: --timeout 60
# dpdk-iommufd-run on this machine, which has no Linux 7.3: its arguments, the kinds of program it
# recognises, and that it says what is missing before it does anything.

# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"

RUN=${LAB_BUILD:-$TREE/build}/app/run/dpdk-iommufd-run

run "$RUN" --help
check "--help teaches: its status" status_is 0
check "--help goes to standard output" grep -q 'dpdk-iommufd-run --bind 0000:01:00.0' "$WORK/out"
run "$RUN" --version
check "--version" grep -qE '^dpdk-iommufd-run [0-9]+\.[0-9]+\.[0-9]+$' "$WORK/out"

# No machine of a developer has Linux 7.3's no-IOMMU mode and hugepages by chance.
run "$RUN" --check
check "--check: something is missing here" status_is 1
check "  and it says what" grep -q '^missing ' "$WORK/out"
run "$RUN" --check --json
check "--check --json: the same status" status_is 1
check "  and JSON" python3 -m json.tool "$WORK/out" /dev/null
run "$RUN" --status
check "--status: no device" grep -qx 'No device has a vfio node\.' "$WORK/out"
run "$RUN" --bind 0000:77:00.0
check "--bind of what is not there" status_is 1
check "  it says: there is no such PCI device" err_has "there is no such PCI device"

# wrong MESSAGE ARGUMENT...: status 2 and the message, and nothing on standard output.
wrong() {
	local message=$1
	shift
	run "$RUN" "$@"
	check "wrong: $*" status_is 2
	check "  it says: $message" err_has "$message"
	check "  and nothing else" out_is ""
}
wrong "there is no command to run"
wrong "there is no command to run" --
wrong "there is no command to run" --user root --
wrong "--user needs" --user
wrong "--user needs" --user -- true
wrong "--user needs" --user= -- true
wrong "--device needs a PCI address" --device eth0 -- true
wrong "--device needs a PCI address" --device=0000:01:00 -- true
wrong "--bind needs a PCI address" --bind eth0
wrong "--unbind needs a PCI address" --unbind
for bdf in ../../0000:01:00.0 0000:01:00.0/../../x "0000:01:00.0 " $'0000:01:00.0\n0000:02:00.0' \
	0000:01:00.8 0000:01:20.0 0000:100:00.0 -1:01:00.0 +1:01:00.0 0x1:00.0 100000000:01:00.0; do
	wrong "--bind needs a PCI address" "--bind=$bdf"
	wrong "--unbind needs a PCI address" "--unbind=$bdf"
done
wrong "--serve needs the path" --serve broker --device 0000:01:00.0
wrong "--serve needs --device" --serve /run/dpdk/broker
wrong "this runs no command" --serve /run/dpdk/broker --device 0000:01:00.0 -- true
wrong "one of --serve and --connect, once" --serve /run/a --connect /run/b -- true
wrong "--connect needs the path" --connect -- true
wrong "--connect goes without --user" --connect /run/dpdk/broker --user root -- true
wrong "there is no command to run" --connect /run/dpdk/broker
wrong "--group goes with --serve" --group root -- true
wrong "--user once" --user root --user nobody -- true
wrong "at a time" --check --status
wrong "at a time" --bind 0000:01:00.0 --unbind 0000:01:00.0
wrong "this runs no command" --check -- true
wrong "--json goes with --check or --status" --json -- true
wrong "unknown option '--verbose'" --verbose -- true
wrong "put '--' before the command" dpdk-testpmd

# refused MESSAGE ARGUMENT...: status 1 and a sentence. With $cannot set, why it cannot be tried.
cannot=
refused() {
	if [ -n "$cannot" ]; then
		skip "$cannot" "refused: $1"
		return
	fi
	local message=$1
	shift
	run "$RUN" "$@"
	check "refused: ${*//$WORK/}" status_is 1
	check "  it says: $message" err_has "$message"
}
refused "there is no user 'nobody-at-all'" --user nobody-at-all -- true
refused "there is no program 'no-such-program'" -- no-such-program
refused "there is no program" -- "$WORK"

echo 'int main(void) { return 0; }' >"$WORK/main.c"
cc -static -o "$WORK/static" "$WORK/main.c" 2>/dev/null || cannot="there is no static C library"
refused "is statically linked" -- "$WORK/static"
refused "default_library=shared" -- "$WORK/static"
cannot=
echo 'const char info[] __attribute__((used)) = "PMD_INFO_STRING= {}"; int main(void) { return 0; }' \
	>"$WORK/dpdk.c"
cc -o "$WORK/dpdk" "$WORK/dpdk.c"
refused "has DPDK linked into it" -- "$WORK/dpdk"
cc -o "$WORK/set-uid" "$WORK/main.c" && chmod 4755 "$WORK/set-uid"
refused "is set-uid" -- "$WORK/set-uid"
cc -o "$WORK/capable" "$WORK/main.c"
setcap cap_net_raw+ep "$WORK/capable" 2>/dev/null ||
	cannot="setcap cannot give $WORK a file capability"
refused "has file capabilities" -- "$WORK/capable"
cannot=

refused "there is none" --connect "$WORK/broker" -- true
touch "$WORK/file"
refused "Connection refused; nobody serves it any more" --connect "$WORK/file" -- true

[ ! -e /dev/iommu ] || cannot="this kernel has iommufd"
refused "the kernel has no iommufd" -- dpdk-testpmd
refused "the kernel has no iommufd" --dry-run --user root -- dpdk-testpmd
if [ -z "$cannot" ]; then
	check "nothing has been changed" not test -e /run/dpdk-iommufd
else
	skip "$cannot" "nothing has been changed"
fi

done_testing
