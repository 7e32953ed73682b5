# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Another Debian's user space: debootstrapped with that suite's DPDK and what builds and tests this
# project there. The lab's guest runs in it, and the tree is built in it with its own compiler.
#
#   $CACHE/userland-SUITE-KEY      the root; KEY: the packages. It is not refreshed by itself.
#   $BUILD/userland-SUITE          the tree, built there; compiled objects are in the common ccache

USERLAND_PACKAGES=dpdk,dpdk-dev,python3-minimal,numactl,iproute2,iputils-ping,libcap2,libcap2-bin
USERLAND_PACKAGES+=,libstdc++6,build-essential,ccache,meson,ninja-build,pkg-config,libdpdk-dev
USERLAND_PACKAGES+=,libexpected-dev,libnuma-dev,libhugetlbfs-dev,libgtest-dev,libgmock-dev
USERLAND_PACKAGES+=,libcap-dev,zlib1g-dev,nlohmann-json3-dev

userland_folder() {
	echo "$CACHE/userland-$1-$(echo "$USERLAND_PACKAGES" | key)"
}

userland_build() {
	echo "$BUILD/userland-$1"
}

make_userland() {
	local suite=$1 work uri
	[ ! -d "$(userland_folder "$suite")" ] || return 0
	# Whoever needs the same one waits for it, and nobody else does.
	lock_cache "$CACHE/userland-$suite.lock"
	[ ! -d "$(userland_folder "$suite")" ] || return 0
	command -v debootstrap >/dev/null || install_packages debootstrap
	uri=$(archive_of "$(os_field VERSION_CODENAME)")
	work=$(work_folder)
	debootstrap --variant=minbase --keyring="$DEBIAN_KEYRING" \
		--include="$USERLAND_PACKAGES" "$suite" "$work/root" "$uri"
	rm -rf "$work/root/var/cache/apt/archives/"*.deb "$work/root/var/lib/apt/lists/"*
	mv -T "$work/root" "$(userland_folder "$suite")"
	rm -rf "$work"
}

# Folders of this machine that are mounted into the root, at the same paths.
userland_mounts() {
	realpath -m "$TREE" "$BUILD" "$CACHE" | sort -u
}

# in_userland SUITE COMMAND...: runs it there.
in_userland() {
	local root
	root=$(userland_folder "$1")
	shift
	in_root "$root" "$@"
}

# in_root ROOT COMMAND...: in a mount namespace of its own, so that no mount stays. No process namespace:
# the first process of one takes no signal that it has no handler for.
in_root() {
	local root=$1 mounts
	mapfile -t mounts < <(userland_mounts)
	shift
	# shellcheck disable=SC2016 # $ of the inner shell
	unshare --mount sh -c '
		set -e
		root=$1 && shift
		while [ "$1" != -- ]; do
			mkdir -p "$root$1"
			mount --rbind "$1" "$root$1"
			shift
		done
		shift
		mount --rbind /proc "$root/proc"
		mount --rbind /dev "$root/dev"
		mount --rbind /sys "$root/sys"
		mount -t tmpfs tmpfs "$root/tmp"
		exec chroot "$root" /usr/bin/env "$@"' sh \
		"$root" "${mounts[@]}" -- PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp \
		CCACHE_DIR="$CCACHE_DIR" CCACHE_BASEDIR="$TREE" CCACHE_NOHASHDIR=1 "$@"
}

make_userland_sdk() {
	make_sdk "$1" "$(dpdk_version_in "$(userland_folder "$1")")"
}

USERLAND_PLUGINS=(
	bus/iommufd/librte_bus_iommufd.so mempool/iommufd/librte_mempool_iommufd.so
	drivers/net/iommufd_igb/librte_net_iommufd_igb.so
)

# make_userland_build SUITE [TARGET...]: the tree in that user space, or some targets of it.
make_userland_build() {
	local suite=$1 version out options
	shift
	version=$(dpdk_version_in "$(userland_folder "$suite")")
	out=$(realpath -m "$(userland_build "$suite")")
	options=(-Dplugins=enabled "-Ddriver_sdk=$(sdk_folder "$version")/include")
	mkdir -p "$out"
	lock_cache "$out/lock"
	if [ "$(cat "$out/configured" 2>/dev/null)" != "$(userland_folder "$suite") ${options[*]}" ]; then
		rm -rf "$out/meson-private" "$out/build.ninja"
		in_userland "$suite" meson setup "$out" "$(realpath "$TREE")" "${options[@]}"
		echo "$(userland_folder "$suite") ${options[*]}" >"$out/configured"
	fi
	in_userland "$suite" ninja -C "$out" "$@"
	echo "DPDK $version, g++ $(in_userland "$suite" g++ -dumpfullversion)" >"$DETAIL"
}

# What devtools/testing is told of it: where the tree is built there, and how to run a command in it.
export_userland() {
	DPDK_IOMMUFD_USERLAND_BUILD=$(realpath -m "$(userland_build "$1")")
	DPDK_IOMMUFD_IN_USERLAND=$LIB/in_userland.sh
	export DPDK_IOMMUFD_USERLAND_BUILD DPDK_IOMMUFD_IN_USERLAND
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
