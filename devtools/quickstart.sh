#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Sets up, builds, and compares this project with stock DPDK in the lab. See --help.

# shellcheck source=lib/setup.sh
. "$(dirname "$0")/lib/setup.sh"

ROUNDS=3

usage() {
	cat <<END
usage: devtools/quickstart.sh [--json]

On Debian 12, as root: installs what is needed, builds a Linux kernel for the lab (once,
about 10 minutes; kept in $CACHE)
and this tree, boots a virtual machine with two emulated 82576 NICs, and forwards packets
between them with dpdk-testpmd in turns: with this project's driver, with the stock driver
under dpdk-iommufd-run, and the stock way.

  --json   print the result as one JSON object and nothing else on stdout
END
}

# compare FOLDER: the result goes to FOLDER/result.json.
compare() {
	"$DEVTOOLS/lab.sh" run --nics 2 --timeout $((180 * ROUNDS)) --share "$1" \
		--env "LAB_BUILD=$BUILD" -- \
		"${PYTHON[@]}" "$DEVTOOLS/quickstart/compare.py" $ROUNDS | while read -r line; do
		echo "$line"
		case $line in
		round*) echo "$line" >"$DETAIL" ;;
		esac
	done
	echo "done" >"$DETAIL"
}

case "$#:${1:-}" in
0:) form=table ;;
1:--json) form=json ;;
1:--help | 1:-h) usage && exit ;;
*) usage >&2 && exit 2 ;;
esac

check_system
check_room "$LAB_MEMORY"
clean_up_at_exit
open_log quickstart
expect_steps $((SETUP_STEPS + 1))
set_up keep
folder=$(work_folder)
step "testpmd in the lab, $ROUNDS rounds of three (about 3 min)" compare "$folder"
[ "$form" = json ] || echo
"${PYTHON[@]}" "$DEVTOOLS/quickstart/show.py" "$folder/result.json" "$form"
