#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The demonstration: the same traffic and the same page migration under stock no-IOMMU DPDK and
# under this project, in the lab's machine with two NUMA nodes. About a minute after set-up.

# shellcheck source=lib/setup.sh
. "$(dirname "$0")/lib/setup.sh"

case ${1:-} in
'') ;;
--help | -h)
	echo "usage: devtools/migration.sh"
	echo
	echo "  Forwards frames, migrates the application's pages to the other NUMA node, and looks in"
	echo "  the hugepages the kernel got back for frames that a NIC has written there."
	exit
	;;
*) echo "usage: devtools/migration.sh" >&2 && exit 2 ;;
esac
check_system
clean_up_at_exit
open_log migration
expect_steps $SETUP_STEPS
set_up keep
run_child "$DEVTOOLS/lab.sh" run --nics 2 --peer --env "LAB_BUILD=$BUILD" -- \
	/usr/bin/python3 -sS "$TREE/tests/lab/test_memory_stock.py"
