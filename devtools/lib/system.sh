# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# The operating system: is it the one we know, and are its packages installed.

OS_RELEASE=${DPDK_IOMMUFD_OS_RELEASE:-/etc/os-release}

# What the build needs, what builds a kernel, what the tests and the lab run.
PACKAGES=(
	build-essential ccache meson ninja-build pkg-config libdpdk-dev libexpected-dev
	libnuma-dev libhugetlbfs-dev libgtest-dev libgmock-dev python3 python3-pyelftools
	flex bison bc libelf-dev libssl-dev xz-utils lz4 dpkg-dev
	dpdk dpdk-dev dpdk-doc numactl busybox-static iproute2 iputils-ping libcap2-bin libcap-dev strace
)

os_field() {
	# shellcheck source=/dev/null
	(. "$OS_RELEASE" && eval "echo \"\${$1:-}\"")
}

# One sentence about the first thing that is missing.
check_system() {
	local name
	[ "$(uname -s)" = Linux ] || die "needs Linux; this is $(uname -s)."
	[ "$(uname -m)" = x86_64 ] || die "needs an x86-64 machine; this is $(uname -m)."
	[ -r "$OS_RELEASE" ] || die "needs Debian 12; this system has no $OS_RELEASE to tell what it is."
	name=$(os_field PRETTY_NAME)
	if [ "$(os_field ID)" != debian ] || [ "$(os_field VERSION_ID)" != 12 ]; then
		die "needs Debian 12 (DPDK 22.11 and its driver SDK, QEMU and the kernel source come" \
			"from its packages); this is ${name:-an unknown system}." \
			"A Debian 12 virtual machine or container with root will do."
	fi
	[ "$(id -u)" = 0 ] || die "needs root, to install packages: run it with sudo or as root."
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
