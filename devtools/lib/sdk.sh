# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# DPDK's driver SDK headers. Debian's libdpdk-dev leaves them out; they come from the
# source package of exactly the installed version.
#
#   $CACHE/dpdk-sdk-VERSION/include   of the machine's own DPDK, or of another user space's
#
# Where an archive has no such source package, DPDK_IOMMUFD_DPDK_SOURCES names a folder of DPDK
# trees by their release (24.11, 25.11): the headers of one are taken for any DPDK of that release,
# and kept by their own name.

SDK_HEADERS=(
	bus_driver.h dev_driver.h bus_pci_driver.h bus_vdev_driver.h
	ethdev_driver.h ethdev_pci.h ethdev_vdev.h
)

dpdk_version() {
	dpkg-query -W -f '${source:Version}' libdpdk-dev
}

# dpdk_version_in ROOT: the same of another root.
dpdk_version_in() {
	dpkg-query --admindir="$1/var/lib/dpkg" -W -f '${source:Version}' libdpdk-dev
}

# Release of a version: 24.11 of 24.11.8-0+deb13u1.
dpdk_release() {
	echo "$1" | sed -n 's/^\([0-9]*\.[0-9]*\).*/\1/p'
}

# The tree of DPDK_IOMMUFD_DPDK_SOURCES for a version; nothing without one.
dpdk_tree() {
	local tree
	tree=${DPDK_IOMMUFD_DPDK_SOURCES:-/nonexistent}/$(dpdk_release "$1")
	[ ! -r "$tree/VERSION" ] || echo "$tree"
}

# sdk_folder [VERSION]
sdk_folder() {
	local version=${1:-$(dpdk_version)} tree
	tree=$(dpdk_tree "$version")
	echo "$CACHE/dpdk-sdk-${tree:+of-}${tree:+$(cat "$tree/VERSION")-for-}$version"
}

# unpack_dpdk [SUITE VERSION]: the source package, unpacked into dpdk/ of the current folder.
unpack_dpdk() {
	local codename suites version=${2:-$(dpdk_version)}
	codename=$(os_field VERSION_CODENAME)
	suites=("$codename" "$codename-updates" "$codename-security")
	[ $# = 0 ] || suites=("$1")
	private_apt "source${1:+-$1}" deb-src "${suites[@]}"
	apt_in "source${1:+-$1}" update
	apt_in "source${1:+-$1}" source --download-only "dpdk=$version"
	dpkg-source -x dpdk_*.dsc dpdk
}

# make_sdk [SUITE VERSION]
make_sdk() {
	local work header tree tree_version version=${2:-$(dpdk_version)}
	tree=$(dpdk_tree "$version")
	[ -z "$tree" ] || tree_version=$(cat "$tree/VERSION")
	echo "${tree:+of $tree_version for }$version" >"$DETAIL"
	[ ! -d "$(sdk_folder "$version")" ] || return 0
	lock_cache
	work=$(work_folder)
	cd "$work"
	if [ -n "$tree" ]; then
		ln -s "$tree" dpdk
	else
		unpack_dpdk "$@"
	fi
	mkdir -p sdk/include
	for header in "${SDK_HEADERS[@]}"; do
		find dpdk/lib/ dpdk/drivers/ -name "$header" -exec cp -v {} sdk/include/ \;
		[ -s "sdk/include/$header" ]
	done
	[ -d "$(sdk_folder "$version")" ] || mv -T sdk "$(sdk_folder "$version")"
	cd /
	rm -rf "$work"
}
