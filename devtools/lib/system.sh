# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# The operating system: is it the one we know, and are its packages installed.

OS_RELEASE=${DPDK_IOMMUFD_OS_RELEASE:-/etc/os-release}
MEMINFO=${DPDK_IOMMUFD_MEMINFO:-/proc/meminfo}

# GiB that are needed: the kernel's source with its objects, the builds, a machine of the lab and
# the largest one that a test asks for.
KERNEL_DISK=5
BUILD_DISK=2
LAB_MEMORY=4
LARGEST_LAB_MEMORY=8

# What the build needs, what builds a kernel, what the tests and the lab run.
PACKAGES=(
	build-essential ccache meson ninja-build pkg-config libdpdk-dev libexpected-dev
	libnuma-dev libhugetlbfs-dev libgtest-dev libgmock-dev python3 python3-pyelftools
	flex bison bc libelf-dev libssl-dev xz-utils lz4 dpkg-dev
	dpdk dpdk-dev dpdk-doc numactl busybox-static kmod iproute2 iputils-ping libcap2-bin libcap-dev nlohmann-json3-dev
	zlib1g-dev strace libbpf1 libcap-ng0 libunbound8 libxdp1
	git clang clang-format clang-tidy shellcheck g++-aarch64-linux-gnu qemu-user
)

# What builds and runs a user's part alone: plugins, library, launcher.
USER_PACKAGES=(
	build-essential meson ninja-build pkg-config python3 dpkg-dev xz-utils dpdk libdpdk-dev
	libexpected-dev libnuma-dev libhugetlbfs-dev libcap-dev zlib1g-dev nlohmann-json3-dev
)

os_field() {
	# shellcheck source=/dev/null
	(. "$OS_RELEASE" && eval "echo \"\${$1:-}\"")
}

# One sentence about the first thing that is missing. check_system [user]: for the user's part alone.
check_system() {
	local name
	[ "$(uname -s)" = Linux ] || die "needs Linux; this is $(uname -s)."
	[ "$(uname -m)" = x86_64 ] || die "needs an x86-64 machine; this is $(uname -m)."
	[ -r "$OS_RELEASE" ] || die "needs Debian 12; this system has no $OS_RELEASE to tell what it is."
	name=$(os_field PRETTY_NAME)
	case ${1:-developer}:$(os_field ID):$(os_field VERSION_ID) in
	*:debian:12 | user:debian:13) ;;
	user:*)
		die "needs Debian 12 or 13 (DPDK and its driver SDK come from its packages); this is" \
			"${name:-an unknown system}; elsewhere: meson setup build -Ddriver_sdk=DIR" \
			"(doc/guides/linux_gsg/versions.rst)."
		;;
	*)
		die "needs Debian 12 (DPDK 22.11 and its driver SDK, QEMU and the kernel source come" \
			"from its packages); this is ${name:-an unknown system}." \
			"A Debian 12 virtual machine or container with root will do; 'setup.sh --user'" \
			"builds what a user installs on Debian 13 too."
		;;
	esac
	[ "$(id -u)" = 0 ] || die "needs root, to install packages: run it with sudo or as root."
	for name in apt-get dpkg-query flock realpath awk; do
		command -v "$name" >/dev/null || die "needs the program $name, which is not in $PATH."
	done
	for name in "$TREE" "$CACHE" "$BUILD"; do
		case $name in
		*[!A-Za-z0-9_./@%+=~-]*)
			die "needs a path of letters, digits and _./@%+=~- (LD_PRELOAD and EAL's arguments" \
				"take no others); this is '$name'."
			;;
		esac
	done
	eal_trusts "$BUILD" || die "needs a build folder that nobody else may write to, or EAL loads" \
		"no plugin from it: $BUILD lies below one that anyone may write to."
}

gib_free() {
	local folder=$1
	while [ ! -e "$folder" ]; do
		folder=$(dirname "$folder")
	done
	df --output=avail -k "$folder" | awk 'NR == 2 { print int($1 / 1048576) }'
}

# check_room GIB: memory for what is to run, and disk for what is to be built.
check_room() {
	local need=$BUILD_DISK free
	free=$(awk '$1 == "MemAvailable:" { print int($2 / 1048576) }' "$MEMINFO")
	[ "$free" -ge "$1" ] || die "needs $1 GiB of free memory; this machine has $free GiB."
	free=$(gib_free "$BUILD")
	[ "$free" -ge $need ] || die "needs $need GiB of disk below $BUILD; there are $free GiB."
	kernel_ready || need=$((KERNEL_DISK + BUILD_DISK))
	free=$(gib_free "$CACHE")
	[ "$free" -ge $need ] || die "needs $need GiB of disk below $CACHE; there are $free GiB." \
		"DPDK_IOMMUFD_CACHE names another folder."
}

packages_missing() {
	local installed
	# dpkg-query fails if there is one that it has never heard of.
	installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${PACKAGES[@]}" 2>/dev/null ||
		true)
	printf 'installed %s\n' "${PACKAGES[@]}" | grep -vxF -f <(echo "$installed") | cut -d' ' -f2
}

apt_install() {
	apt-get -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 "$@"
}

make_packages() {
	local missing
	mapfile -t missing < <(packages_missing)
	if [ ${#missing[@]} = 0 ]; then
		echo "all there" >"$DETAIL"
		return
	fi
	echo "installing: ${missing[*]}"
	if [ -z "$(apt-cache policy "${missing[0]}" | sed -n 's/^  Candidate: //p' | grep -v none)" ]; then
		apt_install update
	fi
	# An old package list names versions that the archive no longer has.
	install_packages "${missing[@]}" || { apt_install update && install_packages "${missing[@]}"; }
	echo "installed ${#missing[@]}" >"$DETAIL"
}

install_packages() {
	apt_install install -y --no-remove --no-install-recommends "$@"
}

# QEMU has had igb since 8.0.
qemu_has_igb() {
	command -v qemu-system-x86_64 >/dev/null &&
		qemu-system-x86_64 -device help 2>/dev/null | grep -q '^name "igb"'
}

make_qemu() {
	local codename
	if ! qemu_has_igb; then
		lock_cache
		codename=$(os_field VERSION_CODENAME)
		private_apt qemu deb "$codename" "$codename-updates" "$codename-security" "$codename-backports"
		apt_in qemu update
		# Only QEMU itself from the backports, not whatever library is newer there.
		printf '%s\n' "Package: src:qemu src:seabios" "Pin: release n=$codename-backports" \
			"Pin-Priority: 500" >"$CACHE/apt/qemu/preferences"
		apt_in qemu install -y --no-remove --no-install-recommends qemu-system-x86
		qemu_has_igb || {
			echo "QEMU of $codename-backports has no igb device either"
			return 1
		}
	fi
	qemu-system-x86_64 --version | sed -n 's/.*version \([0-9.]*\).*/\1/p' >"$DETAIL"
}
