# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Applications that the lab runs. They are unpacked and not installed: their packages start services.
#
#   $CACHE/openvswitch-VERSION                what the packages contain
#   $BUILD/apps/openvswitch                   the same, where the guest sees it
#   $CACHE/userland-SUITE-KEY/.apps-KEY       another user space has its own; KEY: which

OPENVSWITCH=(openvswitch-common openvswitch-switch openvswitch-switch-dpdk)

make_apps() {
	local version folder work
	if [ ! -s "$BUILD/apps/openvswitch/version" ]; then
		lock_cache
		version=$(candidate openvswitch-switch-dpdk)
		if [ -z "$version" ]; then
			apt_install update
			version=$(candidate openvswitch-switch-dpdk)
		fi
		folder=$CACHE/openvswitch-$version
		[ -d "$folder" ] || unpack_openvswitch "$version" "$folder"
		mkdir -p "$BUILD/apps"
		work=$(mktemp -d "$BUILD/apps/XXXXXX")
		cp -a "$folder/." "$work"
		chmod 755 "$work"
		rm -rf "$BUILD/apps/openvswitch"
		mv -T "$work" "$BUILD/apps/openvswitch"
	fi
	echo "Open vSwitch $(cat "$BUILD/apps/openvswitch/version")" >"$DETAIL"
}

# The version of a package that would be installed; nothing if there is no package list yet.
candidate() {
	apt-cache policy "$1" | sed -n 's/^  Candidate: //p' | grep -vF '(none)' || true
}

# unpack_openvswitch VERSION FOLDER
unpack_openvswitch() {
	local work package daemon
	work=$(work_folder)
	cd "$work"
	apt_install -o APT::Sandbox::User=root download "${OPENVSWITCH[@]/%/=$1}"
	for package in *.deb; do
		dpkg-deb -x "$package" root
	done
	link_openvswitch root
	daemon=root/usr/sbin/ovs-vswitchd
	if ldd "$daemon" | grep 'not found'; then
		echo "$daemon is linked with libraries that this machine has not"
		return 1
	fi
	echo "$1" >root/version
	mv -T root "$2"
	cd /
	rm -rf "$work"
}

# The daemon's name, as the package's choice among alternatives would make it.
link_openvswitch() {
	ln -sfn ../lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk "$1/usr/sbin/ovs-vswitchd"
}

userland_apps() {
	case $1 in
	trixie) echo openvswitch-switch openvswitch-switch-dpdk suricata ;;
	sid) echo openvswitch-switch openvswitch-switch-dpdk suricata grout ;;
	esac
}

userland_apps_stamp() {
	echo "$(userland_folder "$1")/.apps-$(userland_apps "$1" | key)"
}

# make_userland_apps SUITE: unpacks them into that root, with the libraries that it has not. In a root
# that is older than its archive they could replace some that it has, behind its package list's back.
make_userland_apps() {
	local suite=$1 root state="apps-$1" package options
	[ ! -e "$(userland_apps_stamp "$suite")" ] || return 0
	root=$(userland_folder "$suite")
	lock_cache "$CACHE/$state.lock"
	[ ! -e "$(userland_apps_stamp "$suite")" ] || return 0
	rm -rf "$CACHE/apt/$state"
	private_apt "$state" deb "$suite"
	apt_in "$state" update
	options=(-o "Dir::State::status=$root/var/lib/dpkg/status" -y --no-install-recommends --no-remove)
	# shellcheck disable=SC2046 # words
	if apt_in "$state" "${options[@]}" --simulate install $(userland_apps "$suite") |
		grep '^Inst [^ ]* \['; then
		echo "$root is older than its archive: remove it, and it is made again"
		return 1
	fi
	# shellcheck disable=SC2046 # words
	apt_in "$state" "${options[@]}" --download-only install $(userland_apps "$suite")
	for package in "$CACHE/apt/$state/cache/archives"/*.deb; do
		dpkg-deb -x "$package" "$root"
		dpkg-deb -f "$package" Package Version
	done
	link_openvswitch "$root"
	touch "$(userland_apps_stamp "$suite")"
	rm -rf "$CACHE/apt/$state"
}
