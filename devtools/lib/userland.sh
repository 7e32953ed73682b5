# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Another Debian's user space for the lab: debootstrapped with that suite's dpdk and dpdk-dev.
#
#   $CACHE/userland-SUITE-KEY   the root; KEY: the packages. It is not refreshed by itself.

USERLAND_PACKAGES=dpdk,dpdk-dev,python3-minimal,numactl,iproute2,iputils-ping,libcap2,libstdc++6

userland_folder() {
	echo "$CACHE/userland-$1-$(echo "$USERLAND_PACKAGES" | key)"
}

make_userland() {
	local suite=$1 work uri
	[ ! -d "$(userland_folder "$suite")" ] || return 0
	command -v debootstrap >/dev/null || install_packages debootstrap
	# Without the lock: nobody else waits for this, and two that make the same one do no harm.
	uri=$(archive_of "$(os_field VERSION_CODENAME)")
	work=$(work_folder)
	debootstrap --variant=minbase --keyring="$DEBIAN_KEYRING" \
		--include="$USERLAND_PACKAGES" "$suite" "$work/root" "$uri"
	rm -rf "$work/root/var/cache/apt/archives/"*.deb "$work/root/var/lib/apt/lists/"*
	[ -d "$(userland_folder "$suite")" ] || mv -T "$work/root" "$(userland_folder "$suite")"
	rm -rf "$work"
}

# value_of --OPTION ARGUMENT...: what lab.sh's arguments give for an option; nothing if it is not there.
value_of() {
	local option=$1
	shift
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		case $1 in
		"$option") echo "${2:-}" && return ;;
		"$option="*) echo "${1#*=}" && return ;;
		esac
		shift
	done
}
