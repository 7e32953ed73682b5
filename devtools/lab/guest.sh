#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Second stage of the lab's guest, with the host's root beneath it: hands the NICs to
# vfio-pci, runs the command and reports its exit status. lab.env gives the settings.
# shellcheck disable=SC1091,SC2154

. /run/lab/lab.env
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/tmp LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1

# The device node of a virtio port, by the name that QEMU gave it.
port_of() {
	local port name
	for port in /sys/class/virtio-ports/*; do
		read -r name <"$port/name"
		if [ "$name" = "lab.$1" ]; then
			echo "/dev/${port##*/}"
			return
		fi
	done
	echo "lab: no port $1" >/dev/console
}

# The device behind a root port, which stands in slot $1 of bus 0.
device_behind() {
	local device
	for device in "/sys/bus/pci/devices/0000:00:$1.0"/0000:*; do
		case ${device##*/} in
		0000:??:??.?) echo "${device##*/}"; return ;;
		esac
	done
}

devices_behind() {
	local slot devices=()
	for slot in "$@"; do
		devices+=("$(device_behind "$slot")")
	done
	echo "${devices[*]}"
}

# Of a kernel that has them as modules; parameters are on its command line.
load_drivers() {
	[ ${#drivers[@]} = 0 ] || modprobe --dirname "$modules" --all "${drivers[@]}"
}

bind_to_vfio() {
	local device=/sys/bus/pci/devices/$1
	echo vfio-pci >"$device/driver_override"
	[ ! -e "$device/driver" ] || echo "$1" >"$device/driver/unbind"
	[ "$bind" = no ] || echo "$1" >/sys/bus/pci/drivers/vfio-pci/bind
}

# The command may send at once. Gives up after 5 s.
wait_for_link() {
	local state tries
	for tries in {1..50}; do
		read -r state <"/sys/class/net/$1/operstate"
		[ "$state" != up ] || return
		sleep 0.1
	done
	echo "lab: $1 has no link after $tries tries" >/dev/console
}

set_up_network() {
	local nic netdev
	ip link set lo up
	LAB_NICS=$(devices_behind "${nic_slots[@]}")
	LAB_EXTRA=$(devices_behind "${extra_slots[@]}")
	for nic in $LAB_NICS; do
		bind_to_vfio "$nic"
	done
	if [ -n "$peer_slot" ]; then
		LAB_PEER=peer0
		netdev=$(echo "/sys/bus/pci/devices/$(device_behind "$peer_slot")/net/"*)
		ip link set "${netdev##*/}" name $LAB_PEER
		ip link set $LAB_PEER up
		wait_for_link $LAB_PEER
	fi
	export LAB_NICS LAB_EXTRA LAB_PEER
}

# The command sees another root, with this guest's file systems and the tree in it.
enter_userland() {
	local folder
	# A root is a mount point, as whoever makes a mount namespace of his own may expect.
	mount --bind "$userland" "$userland"
	for folder in proc sys dev run tmp; do
		mount --rbind "/$folder" "$userland/$folder"
	done
	mount --bind "$tree" "$userland$tree"
	[ -z "$build" ] || mount --bind "$build" "$userland$build"
	# shellcheck disable=SC2016
	command=(chroot "$userland" /bin/sh -c 'cd "$0" && exec "$@"' "$directory" "${command[@]}")
}

# Streams the command's output to the host; after each stream an end mark. Orphans that
# hold a stream open when the command has ended are given a second.
run_command() {
	local out err copies
	out=$(port_of stdout)
	err=$(port_of stderr)
	mkfifo /run/lab/out /run/lab/err
	cat </run/lab/out >"$out" &
	copies=($!)
	cat </run/lab/err >"$err" &
	copies+=($!)
	"${command[@]}" </dev/null >/run/lab/out 2>/run/lab/err 3>&-
	status=$?
	(
		sleep 1
		kill "${copies[@]}"
	) 2>/dev/null &
	wait "${copies[@]}"
	printf '\0%s\0' "$end_mark" >"$out"
	printf '\0%s\0' "$end_mark" >"$err"
}

run_shell() {
	stty rows "$rows" cols "$columns" </dev/hvc0
	setsid -c "${command[@]}" </dev/hvc0 >/dev/hvc0 2>&1
	status=$?
}

echo lab >/proc/sys/kernel/hostname
load_drivers 2>/dev/console
set_up_network 2>/dev/console
exec 3>"$(port_of control)"
if ! cd "$directory" 2>/dev/null; then
	echo "error the working directory $directory cannot be seen from the guest" >&3
	sleep 60
fi
[ -z "$userland" ] || enter_userland 2>/dev/console
export LAB_TREE=$tree LAB_JOB=/run/job LAB_MODULES=$modules "${environment[@]}"
echo start >&3
while :; do
	sleep 2
	echo alive >&3
done &
if [ "$interactive" = yes ]; then
	run_shell
else
	run_command
fi
echo "exit $status" >&3
# The host pulls the plug.
sleep 60
