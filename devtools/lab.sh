#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs a command in the lab: a VM with Linux >= 7.3 and emulated 82576 NICs. See --help.

# shellcheck source=lib/setup.sh
. "$(dirname "$0")/lib/setup.sh"

program=$DEVTOOLS/lab/lab.py
check_arguments "$program" "$@"
check_system
if [ -z "${LAB_KERNEL:-}" ]; then
	clean_up_at_exit
	set_up_lab
	trap - EXIT INT TERM HUP
	LAB_KERNEL=$(kernel_image)
	export LAB_KERNEL
fi
suite=$(value_of --userland "$@")
if [ -n "$suite" ]; then
	if [ ! -d "$(userland_folder "$suite")" ]; then
		clean_up_at_exit
		open_log lab
		expect_steps 1
		step "user space of Debian $suite (about 5 min)" make_userland "$suite"
		trap - EXIT INT TERM HUP
	fi
	if [ ! -e "$(userland_apps_stamp "$suite")" ]; then
		clean_up_at_exit
		open_log lab
		expect_steps 1
		step "applications for the user space of Debian $suite" make_userland_apps "$suite"
		trap - EXIT INT TERM HUP
	fi
	LAB_USERLAND=$(userland_folder "$suite")
	export LAB_USERLAND
	# What the guest mounts there, on a root that it sees read-only; below /root as well, where
	# unprivileged runs have to pass.
	mkdir -p "$LAB_USERLAND$TREE" "$LAB_USERLAND$(realpath -m "$BUILD")"
	chmod go+x "$LAB_USERLAND/root"
fi
# Seen by the guest wherever it is.
DPDK_IOMMUFD_BUILD=$(realpath -m "$BUILD")
export DPDK_IOMMUFD_BUILD
if [ -n "$(value_of --debian-kernel "$@")" ]; then
	if ! debian_kernel_ready; then
		clean_up_at_exit
		open_log lab
		expect_steps 2
		step "user space of Debian 13 (first time: about 5 min)" make_userland trixie
		step "Debian's kernel and the modules for it (about 4 min)" make_debian_kernel
		trap - EXIT INT TERM HUP
	fi
	LAB_DEBIAN_KERNEL=$(debian_kernel_folder)
	export LAB_DEBIAN_KERNEL
fi
suite=$(value_of --qemu "$@")
if [ -n "$suite" ]; then
	if [ ! -d "$(other_qemu "$suite")" ]; then
		clean_up_at_exit
		open_log lab
		expect_steps 1
		step "QEMU of Debian $suite" make_other_qemu "$suite"
		trap - EXIT INT TERM HUP
	fi
	LAB_QEMU=$(other_qemu "$suite")/qemu
	export LAB_QEMU
fi
exec "${PYTHON[@]}" "$program" "$CACHE" "$@"
