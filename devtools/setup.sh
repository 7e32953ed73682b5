#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Installs what the project needs on Debian 12, prepares the lab and builds.

# shellcheck source=lib/setup.sh
. "$(dirname "$0")/lib/setup.sh"

usage() {
	cat <<END
usage: devtools/setup.sh [--refresh]

Installs the packages that are missing, a QEMU that has igb, and builds the lab's kernel,
then this tree in build/. What is slow is kept in \$DPDK_IOMMUFD_CACHE
($CACHE) and found there the next time.

  --refresh   look for a newer kernel source than the one in the cache
END
}

case "$#:${1:-}" in
0:) newer=keep ;;
1:--refresh) newer=refresh ;;
1:--help | 1:-h) usage && exit ;;
*) usage >&2 && exit 2 ;;
esac

check_system
check_room 1
clean_up_at_exit
open_log setup
expect_steps $SETUP_STEPS
set_up "$newer"
