#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Builds Debian packages of the tree for this machine's DPDK. See --help.

# shellcheck source=lib/setup.sh
. "$(dirname "$0")/lib/setup.sh"

usage() {
	cat <<END
usage: devtools/package.sh

Builds Debian packages of this tree's files as they are, for the DPDK that is installed, into
$BUILD/packages, and has lintian judge them:

  dpdk-iommufd              dpdk-iommufd-run and its library, for any DPDK from 22.11
  dpdk-iommufd-plugins-NN   bus, mempool handler and driver, for the DPDK of ABI NN
  dpdk-iommufd-dev          headers for drivers and applications on that bus
END
}

case "$#:${1:-}" in
0:) ;;
1:--help | 1:-h) usage && exit ;;
*) usage >&2 && exit 2 ;;
esac

OUT=$BUILD/packages
# shellcheck disable=SC2034 # of lib/system.sh
PACKAGES=("${USER_PACKAGES[@]}" debhelper fakeroot lintian pkgconf ccache)

# The number that the folder of DPDK's own plugins has: 23 of .../dpdk/pmds-23.0.
dpdk_abi() {
	local flags
	read -ra flags < <(pkg-config --cflags libdpdk)
	echo RTE_EAL_PMD_PATH | cpp -P "${flags[@]}" - | sed -n 's/.*pmds-\([0-9]*\)\..*/\1/p'
}

build_packages() {
	local work abi
	abi=$(dpdk_abi)
	[ -n "$abi" ] || die "cannot tell the ABI of the installed DPDK: is libdpdk-dev there?"
	work=$(work_folder)
	mkdir "$work/dpdk-iommufd"
	cd "$TREE" || return
	tree_files | while read -r file; do
		[ ! -f "$file" ] || cp --parents "$file" "$work/dpdk-iommufd"
	done
	cd "$work/dpdk-iommufd" || return
	# The compiler is told nothing of the folder, so that ccache knows the files again.
	DEB_BUILD_OPTIONS="noautodbgsym reproducible=-fixfilepath,-fixdebugpath" \
		PATH=/usr/lib/ccache:$PATH \
		CCACHE_BASEDIR=$work CCACHE_NOHASHDIR=1 DPDK_IOMMUFD_DRIVER_SDK=$(sdk_folder)/include \
		dpkg-buildpackage --build=binary --unsigned-changes --unsigned-source \
		--build-profiles="pkg.dpdk-iommufd.abi$abi"
	rm -rf "$OUT"
	mkdir -p "$OUT"
	cp "$work"/*.deb "$work"/*.changes "$work"/*.buildinfo "$OUT"
	cd /
	rm -rf "$work"
	echo "ABI $abi" >"$DETAIL"
}

judge_packages() {
	lintian --allow-root --fail-on error,warning --display-info "$OUT"/*.changes
}

check_system user
clean_up_at_exit
open_log package
expect_steps 4
step "packages" make_packages
step "DPDK driver SDK headers" make_sdk
step "Debian packages" build_packages
step "lintian" judge_packages
ls "$OUT"/*.deb
