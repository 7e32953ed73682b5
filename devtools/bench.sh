#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Sets up, builds and runs a benchmark. See --help.

# shellcheck source=lib/setup.sh
. "$(dirname "$0")/lib/setup.sh"
# shellcheck source=lib/stock.sh
. "$LIB/stock.sh"

usage() {
	cat <<END
usage: devtools/bench.sh hotpath [--json] [--processes N] [--plot FILE]
       devtools/bench.sh memory [--json] [--rounds N]
       devtools/bench.sh lab [--json] [--quick] [--rounds N]
       devtools/bench.sh drivers [--json] [--rounds N] [--driver PMD]...

  hotpath   cycles and instructions per packet of the burst functions, beside stock's and
            others, natively on models of the hardware; about two minutes
            (devtools/bench.sh hotpath --help)
  memory    pinning, resolving and looking up, and the time from exec to the first packet,
            beside stock's, in the lab's machine; about five minutes
            (devtools/bench.sh memory --help)
  lab       end to end: testpmd in the lab's virtual machine, the stock driver and ours in
            turns (devtools/bench.sh lab --help)
  drivers   stock drivers over iommufd beside the stock way, in the lab, before and after
            page migration; about ten minutes (devtools/bench.sh drivers --help)
END
}

# What the benchmark of the hot path needs: no virtual machine, so neither QEMU nor a kernel.
PACKAGES+=(gnuplot-nox)

# The headers of the lab's kernel, which the build compares its own copy with.
make_uapi() {
	if [ ! -d "$(uapi_folder)" ]; then
		lock_cache
		kernel_choice >/dev/null || choose_kernel
		[ -d "$(uapi_folder)" ] || unpack_uapi
	fi
	kernel_version >"$DETAIL"
}

bench=${1:-}
case $bench in
hotpath | lab | memory | drivers) runner=("${PYTHON[@]}" "$DEVTOOLS/bench/$bench.py") ;;
--help | -h) usage && exit ;;
*) usage >&2 && exit 2 ;;
esac
shift

for word in "$@"; do
	case $word in
	--help | -h) exec "${runner[@]}" --check --help ;;
	esac
done
"${runner[@]}" --check "$@" || exit
check_system
clean_up_at_exit
open_log bench
if [ "$bench" != hotpath ]; then
	expect_steps $SETUP_STEPS
	set_up keep
else
	expect_steps 6
	step "packages" make_packages || exit
	step "Linux UAPI headers" make_uapi || exit
	step "DPDK driver SDK headers" make_sdk || exit
	step "build" make_build || exit
	step "stock driver's source" make_stock_source || exit
	step "stock driver with our options" make_stock_plugin || exit
fi
run_child "${runner[@]}" "$BUILD" "$LOG" "$@"
