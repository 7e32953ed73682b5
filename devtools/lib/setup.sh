# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# The steps that every command begins with. Each looks first whether there is anything to
# do, so a warm start takes a second and no network.

# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=steps.sh
. "$LIB/steps.sh"
# shellcheck source=system.sh
. "$LIB/system.sh"
# shellcheck source=archive.sh
. "$LIB/archive.sh"
# shellcheck source=kernel.sh
. "$LIB/kernel.sh"
# shellcheck source=sdk.sh
. "$LIB/sdk.sh"
# shellcheck source=userland.sh
. "$LIB/userland.sh"
# shellcheck source=debian_kernel.sh
. "$LIB/debian_kernel.sh"
# shellcheck source=qemu.sh
. "$LIB/qemu.sh"
# shellcheck source=build.sh
. "$LIB/build.sh"
# shellcheck source=apps.sh
. "$LIB/apps.sh"

SETUP_STEPS=5

# set_up keep|refresh: all that building and testing need, then the build.
set_up() {
	step "packages" make_packages
	step "QEMU with igb" make_qemu
	step "Linux kernel for the lab (first time: about 10 min)" make_kernel "$1"
	step "DPDK driver SDK headers" make_sdk
	step "build" make_build
}

USER_SETUP_STEPS=3

# What a user installs: no kernel, no QEMU, no tests.
set_up_user_part() {
	PACKAGES=("${USER_PACKAGES[@]}")
	step "packages" make_packages
	step "DPDK driver SDK headers" make_sdk
	step "build" make_user_build
	echo "ninja -C $BUILD install puts plugins, library and launcher where they are found." >&2
}

# What the lab alone needs; silent if it is all there.
set_up_lab() {
	if [ -z "$(packages_missing)" ] && qemu_has_igb && kernel_ready; then
		return
	fi
	open_log lab
	expect_steps 3
	step "packages" make_packages
	step "QEMU with igb" make_qemu
	step "Linux kernel for the lab (first time: about 10 min)" make_kernel keep
}
