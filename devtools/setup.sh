#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Installs what the project needs on Debian 12, prepares the lab and builds; or only what a user has.

# shellcheck source=lib/setup.sh
. "$(dirname "$0")/lib/setup.sh"

usage() {
	cat <<END
usage: devtools/setup.sh [--refresh | --user]

Installs the packages that are missing, a QEMU that has igb, and builds the lab's kernel,
then this tree in build/. What is slow is kept in \$DPDK_IOMMUFD_CACHE
($CACHE) and found there the next time.

  --refresh   look for a newer kernel source than the one in the cache
  --user      only what a user installs, on Debian 12 or 13: plugins, library and launcher; no
              kernel, QEMU, lab or tests
END
}

part=developer newer=keep
case "$#:${1:-}" in
0:) ;;
1:--refresh) newer=refresh ;;
1:--user) part=user ;;
1:--help | 1:-h) usage && exit ;;
*) usage >&2 && exit 2 ;;
esac

check_system $part
[ $part = user ] || check_room 1
clean_up_at_exit
open_log setup
if [ $part = user ]; then
	expect_steps "$USER_SETUP_STEPS"
	set_up_user_part
else
	expect_steps "$SETUP_STEPS"
	set_up $newer
fi
