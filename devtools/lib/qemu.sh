# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Another Debian's QEMU for the lab, where this one's is too old: unpacked with all that it is
# linked with, and started by that Debian's dynamic linker. Nothing of it is installed.
#
#   $CACHE/qemu-SUITE-KEY   packages, and the program qemu; KEY: the recipe. It is not refreshed.

other_qemu() {
	echo "$CACHE/qemu-$1-$(declare -f make_other_qemu start_other_qemu | key)"
}

# It finds its modules and firmware where they were unpacked.
start_other_qemu() {
	cat <<-'END'
		#!/bin/sh
		root=$(dirname "$0")
		libraries=$root/usr/lib/x86_64-linux-gnu
		export QEMU_MODULE_DIR="$libraries/qemu"
		exec "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" \
			"$root/usr/bin/qemu-system-x86_64" -L "$root/usr/share/qemu" \
			-L "$root/usr/share/seabios" -L "$root/usr/lib/ipxe/qemu" "$@"
	END
}

make_other_qemu() {
	local suite=$1 state="other-qemu-$1" work package
	work=$(work_folder)
	: >"$work/nothing-is-installed"
	private_apt "$state" deb "$suite"
	apt_in "$state" update
	apt_in "$state" -o Dir::State::status="$work/nothing-is-installed" install -y \
		--no-install-recommends --download-only qemu-system-x86
	for package in "$CACHE/apt/$state/cache/archives"/*.deb; do
		dpkg-deb -x "$package" "$work/root"
	done
	start_other_qemu >"$work/root/qemu"
	chmod +x "$work/root/qemu"
	"$work/root/qemu" --version | sed -n 's/.*version \([0-9.]*\).*/\1/p' >"$DETAIL"
	[ -d "$(other_qemu "$suite")" ] || mv -T "$work/root" "$(other_qemu "$suite")"
	rm -rf "$work" "$CACHE/apt/$state"
}
