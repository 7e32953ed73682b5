#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Builds the net driver for arm64 with the distribution's cross compiler. See --help.

# shellcheck source=lib/setup.sh
. "$(dirname "$0")/lib/setup.sh"

usage() {
	cat <<END
usage: devtools/cross.sh

Compiles net_iommufd_igb (scalar; its vector code is for x86) and the mempool driver with
g++-aarch64-linux-gnu against DPDK's arm64 headers, warnings as errors, and looks into the
code whether the orderings that a weakly ordered CPU needs are there as barriers. About a
minute the first time, twenty seconds later on.
END
}

TRIPLET=aarch64-linux-gnu

# DPDK's headers as arm64 sees them; nothing of that architecture is installed here.
headers_folder() {
	echo "$CACHE/dpdk-arm64-$(dpdk_version)"
}

make_headers() {
	local work codename
	dpdk_version >"$DETAIL"
	[ ! -d "$(headers_folder)" ] || return 0
	lock_cache
	codename=$(os_field VERSION_CODENAME)
	private_apt arm64 deb "$codename" "$codename-updates" "$codename-security"
	apt_in arm64 -o APT::Architecture=arm64 -o APT::Architectures=arm64 update
	work=$(work_folder)
	cd "$work" || return
	apt_in arm64 -o APT::Architecture=arm64 -o APT::Architectures=arm64 \
		download "libdpdk-dev=$(dpdk_version)"
	dpkg-deb -x libdpdk-dev_*.deb root
	[ -s "root/usr/include/$TRIPLET/dpdk/rte_config.h" ]
	mv -T root "$(headers_folder)"
}

compile() {
	local root flags source
	root=$(headers_folder)/usr/include
	flags=(-std=c++20 -O3 -fPIC -Wall -Wextra -Werror -include rte_config.h -DALLOW_INTERNAL_API
		-isystem "$root/$TRIPLET/dpdk" -isystem "$root/dpdk" -isystem "$(sdk_folder)/include"
		-idirafter /usr/include # header-only libraries of no architecture
		-I "$TREE/bus/iommufd" -I "$TREE/bus/core/ioas" -I "$TREE/drivers/net/iommufd_igb")
	rm -rf "$OUT"
	mkdir -p "$OUT"
	for source in "$TREE"/drivers/net/iommufd_igb/{,*/}*.cpp "$TREE"/mempool/iommufd/*.cpp; do
		case $source in
		*_avx*.cpp) continue ;;
		esac
		echo "${source##*/}" | tee "$DETAIL"
		$TRIPLET-g++ "${flags[@]}" -c "$source" -o "$OUT/$(basename "$source" .cpp).o"
	done
	$TRIPLET-g++ -shared -o "$OUT/librte_net_iommufd_igb.so" "$OUT"/igb_*.o
	$TRIPLET-g++ -shared -o "$OUT/librte_mempool_iommufd.so" "$OUT"/mempool_*.o
	file -b "$OUT/librte_net_iommufd_igb.so" | cut -d, -f2 >"$DETAIL"
}

# has FUNCTION BARRIER: the barrier is in the code of the function.
has() {
	$TRIPLET-objdump -dC --no-show-raw-insn "$OUT/librte_net_iommufd_igb.so" |
		awk -v name="<igb::$1(" -v barrier="$2" '
			/^[0-9a-f]+ </ { inside = index($0, name) > 0 }
			inside && $0 ~ "dmb[[:space:]]+" barrier { found++ }
			END { exit found ? 0 : 1 }' || {
		echo "there is no dmb $2 in $1()"
		return 1
	}
}

check_barriers() {
	has rx_burst_scalar oshld # after DD, before the rest of the descriptor
	has rx_burst_scalar oshst # after descriptors, before RDT
	has tx_burst_scalar oshld # after DD, before mbufs are given back
	has tx_burst_scalar oshst # after descriptors, before TDT
	! has rx_burst_scalar nonsense >/dev/null # the search finds nothing where nothing is
	echo "oshld after DD and oshst before the tail, in rx and tx" >"$DETAIL"
}

case "$#:${1:-}" in
0:) ;;
1:--help | 1:-h) usage && exit ;;
*) usage >&2 && exit 2 ;;
esac

check_system
clean_up_at_exit
open_log cross
OUT=$BUILD/cross-arm64
expect_steps 5
step "packages" make_packages
step "DPDK driver SDK headers" make_sdk
step "DPDK headers of arm64" make_headers
step "cross build" compile
step "barriers" check_barriers
