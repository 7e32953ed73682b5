#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Builds the tree for arm64 with the distribution's cross compiler. See --help.

# shellcheck source=lib/setup.sh
. "$(dirname "$0")/lib/setup.sh"

usage() {
	cat <<END
usage: devtools/cross.sh

Compiles all that is ours (core, bus, preload library, launcher, mempool, driver, tests) with
g++-aarch64-linux-gnu against DPDK as Debian packages it for arm64, warnings as errors; runs the
unit tests in QEMU's user mode; and looks into the driver's code whether the orderings that a
weakly ordered CPU needs are there as barriers. The driver is scalar there: its vector code is for
x86. Nothing of that architecture is installed on this machine.
END
}

TRIPLET=aarch64-linux-gnu
# What the build links with; apt finds what these need in turn.
ARM64_PACKAGES=(
	libdpdk-dev libnuma-dev libhugetlbfs-dev libcap-dev zlib1g-dev nlohmann-json3-dev libexpected-dev
	libgtest-dev libgmock-dev libstdc++6
)

sysroot() {
	echo "$CACHE/arm64-$(dpdk_version)-$( (echo "${ARM64_PACKAGES[*]}" && declare -f unpack) | key)"
}

# apt as if nothing were installed, so that it fetches all that is needed.
apt_arm64() {
	apt_in arm64 -o APT::Architecture=arm64 -o APT::Architectures=arm64 \
		-o Dir::State::status=/dev/null "$@"
}

# The compiler brings the C library of its own to link with; what programs load when they run,
# the same version, is among these.
unpack() {
	local package exclude link target
	for package in "$1"/{lib,zlib1g,nlohmann-json3}*.deb; do
		exclude=(--exclude='./usr/share/doc' --exclude='./usr/share/man' --exclude='*.a')
		case ${package##*/} in
		libc6-dev_* | libcrypt-dev_*) continue ;;
		libgtest-dev_* | libgmock-dev_*) unset 'exclude[2]' ;; # there are no shared ones
		esac
		dpkg-deb --fsys-tarfile "$package" | tar -x -C "$2" --wildcards "${exclude[@]}"
	done
	# EAL loads every plugin there is: only what the tests use, or they would need and load much.
	find "$2" -path '*/dpdk/pmds-*/librte_*' ! -name 'librte_mempool_ring.*' \
		! -name 'librte_mempool_stack.*' ! -name 'librte_bus_vdev.*' -delete
	# An absolute link would lead out of the folder.
	find "$2" -type l -lname '/*' -print0 | while IFS= read -r -d '' link; do
		target=$(readlink "$link")
		ln -sfrT "$2$target" "$link"
	done
}

make_sysroot() {
	local work codename
	dpdk_version >"$DETAIL"
	[ ! -d "$(sysroot)" ] || return 0
	lock_cache
	codename=$(os_field VERSION_CODENAME)
	private_apt arm64 deb "$codename" "$codename-updates" "$codename-security"
	apt_arm64 update
	work=$(work_folder)
	mkdir -p "$work/partial" "$work/root"
	apt_arm64 install --download-only -y --no-install-recommends \
		-o Dir::Cache::archives="$work" "${ARM64_PACKAGES[@]}" "libdpdk-dev=$(dpdk_version)"
	unpack "$work" "$work/root"
	[ -s "$work/root/usr/include/$TRIPLET/dpdk/rte_config.h" ]
	[ -d "$(sysroot)" ] || mv -T "$work/root" "$(sysroot)"
	rm -rf "$work"
}

compile() {
	local options configuration
	mkdir -p "$BUILD"
	printf "[constants]\nsysroot = '%s'\n" "$(sysroot)" >"$BUILD/sysroot.ini"
	options=(
		"-Ddriver_sdk=$(sdk_folder)/include"
		--cross-file "$BUILD/sysroot.ini" --cross-file "$DEVTOOLS/cross/$TRIPLET.ini"
	)
	configuration=$(echo "${options[*]}" && cat "$BUILD/sysroot.ini" "$DEVTOOLS/cross/$TRIPLET.ini")
	# What a cross file says is not asked for again when meson configures once more.
	if [ "$(cat "$OUT/configured" 2>/dev/null)" != "$configuration" ]; then
		rm -rf "$OUT"
		meson setup "$OUT" "$TREE" "${options[@]}"
		echo "$configuration" >"$OUT/configured"
	fi
	ninja -C "$OUT"
	$TRIPLET-objdump -f "$DRIVER" | sed -n 's/^architecture: \([^,]*\),.*/\1/p' >"$DETAIL"
}

# All but three: one starts its own program anew, and this machine's kernel runs none of arm64; the
# other two are about processes, and QEMU's user mode knows no PR_SET_CHILD_SUBREAPER and keeps
# descriptors of its own among the program's.
run_tests() {
	local tests
	mapfile -t tests < <(meson test -C "$OUT" --no-rebuild --list --suite unit |
		sed -n 's/.* \/ //p' | grep -vxE 'pagemap|broker|run')
	[ ${#tests[@]} -gt 0 ]
	meson test -C "$OUT" --no-rebuild --timeout-multiplier 5 --print-errorlogs "${tests[@]}" |
		tee "$OUT/unit-tests.txt"
	awk '/^(Ok|Skipped):/ { printf "%s%s %s", separator, tolower($1), $2; separator = ", " }' \
		"$OUT/unit-tests.txt" >"$DETAIL"
}

# has FUNCTION BARRIER: the barrier is in the code of the function.
has() {
	$TRIPLET-objdump -dC --no-show-raw-insn "$DRIVER" |
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
DRIVER=$OUT/drivers/net/iommufd_igb/librte_net_iommufd_igb.so
expect_steps 6
step "packages" make_packages
step "DPDK driver SDK headers" make_sdk
step "DPDK and other libraries of arm64" make_sysroot
step "cross build" compile
step "unit tests in QEMU's user mode" run_tests
step "barriers" check_barriers
