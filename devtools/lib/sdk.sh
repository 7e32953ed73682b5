# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# DPDK's driver SDK headers. Debian's libdpdk-dev leaves them out; they come from the
# source package of exactly the installed version.

SDK_HEADERS=(
	bus_driver.h dev_driver.h bus_pci_driver.h bus_vdev_driver.h
	ethdev_driver.h ethdev_pci.h ethdev_vdev.h
)

dpdk_version() {
	dpkg-query -W -f '${source:Version}' libdpdk-dev
}

sdk_folder() {
	echo "$CACHE/dpdk-sdk-$(dpdk_version)"
}

# The source package of exactly the installed version, unpacked into dpdk/ of the current folder.
unpack_dpdk() {
	local codename
	codename=$(os_field VERSION_CODENAME)
	private_apt source deb-src "$codename" "$codename-updates" "$codename-security"
	apt_in source update
	apt_in source source --download-only "dpdk=$(dpdk_version)"
	dpkg-source -x dpdk_*.dsc dpdk
}

make_sdk() {
	local work header
	dpdk_version >"$DETAIL"
	[ ! -d "$(sdk_folder)" ] || return 0
	lock_cache
	work=$(work_folder)
	cd "$work"
	unpack_dpdk
	mkdir -p sdk/include
	for header in "${SDK_HEADERS[@]}"; do
		find dpdk/lib dpdk/drivers -name "$header" -exec cp -v {} sdk/include/ \;
		[ -s "sdk/include/$header" ]
	done
	[ -d "$(sdk_folder)" ] || mv -T sdk "$(sdk_folder)"
	cd /
	rm -rf "$work"
}
