#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Bus, mempool and driver compile with Debian 13's compiler for its DPDK (24.11), warnings as errors.
# That user space and the SDK headers for it are only used where they are: devtools/test.sh
# --userland trixie makes them, and runs the plugins there too.

# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"
# The build of the tree that runs this.
export DPDK_IOMMUFD_BUILD=${LAB_BUILD:-$TREE/build}
# shellcheck source=../../devtools/lib/setup.sh
. "$TREE/devtools/lib/setup.sh"
trap 'rm -rf "$WORK"' EXIT

name="bus, mempool and driver compile in Debian 13's user space"
DETAIL=$WORK/detail
root=$(userland_folder trixie)
if [ ! -d "$root" ]; then
	skip "there is none yet (devtools/test.sh --userland trixie)" "$name"
elif [ ! -d "$(sdk_folder "$(dpdk_version_in "$root")")" ]; then
	skip "no driver SDK headers of its DPDK (devtools/test.sh --userland trixie)" "$name"
else
	run make_userland_build trixie "${USERLAND_PLUGINS[@]}"
	check "$name" status_is 0
	check "for another release than this machine's" \
		not grep -q "^DPDK $(dpdk_release "$(dpdk_version)")" "$DETAIL"
fi
done_testing
