# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Debian 13's own kernel for the lab (trixie-backports), as it is and with the modules of kernel/, which
# DKMS builds and installs in a copy of the debootstrapped user space, and removes again.
#
#   $CACHE/debian-kernel                       "linux-image-RELEASE VERSION"; a warm start looks no further
#   $CACHE/debian-kernel-packages-VERSION      what is installed for that, downloaded
#   $CACHE/debian-kernel-VERSION-KEY/vmlinuz   KEY: kernel/ and the recipe
#     boot/              modules without which there is no root, decompressed, in the order to load
#     modules/lib/modules    with the modules of kernel/
#     packaged/lib/modules   when they have been removed again

DEBIAN_KERNEL_SUITE=trixie
DEBIAN_KERNEL_BOOT=(virtio_pci virtio_console virtio_rng 9pnet_virtio 9p)

debian_kernel_choice() {
	[ -s "$CACHE/debian-kernel" ] && cat "$CACHE/debian-kernel"
}

debian_kernel_version() {
	local choice
	choice=$(debian_kernel_choice) && echo "${choice#* }"
}

debian_kernel_release() {
	local choice
	choice=$(debian_kernel_choice) && choice=${choice% *} && echo "${choice#linux-image-}"
}

debian_kernel_packages() {
	echo "$CACHE/debian-kernel-packages-$(debian_kernel_version)"
}

debian_kernel_folder() {
	echo "$CACHE/debian-kernel-$(debian_kernel_version)-$( (
		cat "$TREE"/kernel/*
		echo "${DEBIAN_KERNEL_BOOT[*]}"
		declare -f build_debian_kernel take_debian_modules check_debian_removal
	) | key)"
}

debian_kernel_ready() {
	debian_kernel_choice >/dev/null && [ -s "$(debian_kernel_folder)/vmlinuz" ]
}

make_debian_kernel() {
	local image version
	if ! debian_kernel_ready; then
		lock_cache "$CACHE/debian-kernel.lock"
		debian_kernel_choice >/dev/null || choose_debian_kernel
		[ -d "$(debian_kernel_packages)" ] || download_debian_kernel
		[ -s "$(debian_kernel_folder)/vmlinuz" ] || build_debian_kernel
		remove_old_debian_kernels
	fi
	debian_kernel_release >"$DETAIL"
}

choose_debian_kernel() {
	local choice
	private_apt debian-kernel deb "$DEBIAN_KERNEL_SUITE" "$DEBIAN_KERNEL_SUITE-backports"
	apt_in debian-kernel update
	if ! choice=$(newest_package debian-kernel 'linux-image-7\.3\.[0-9]+\+deb13-amd64' 7.3); then
		echo "no linux-image-7.3.*+deb13-amd64 in $DEBIAN_KERNEL_SUITE-backports"
		return 1
	fi
	echo "$choice" >"$CACHE/debian-kernel.new"
	mv "$CACHE/debian-kernel.new" "$CACHE/debian-kernel"
}

# With all that they depend on and that the user space has not.
download_debian_kernel() {
	local work version release
	version=$(debian_kernel_version)
	release=$(debian_kernel_release)
	work=$(work_folder)
	echo "downloading" >"$DETAIL"
	private_apt debian-kernel deb "$DEBIAN_KERNEL_SUITE" "$DEBIAN_KERNEL_SUITE-backports"
	apt_in debian-kernel update
	apt_in debian-kernel -o Dir::Cache::archives="$work/" -y --no-install-recommends \
		-o Dir::State::status="$(userland_folder "$DEBIAN_KERNEL_SUITE")/var/lib/dpkg/status" \
		--download-only install dkms kmod openssl "linux-headers-$release=$version" \
		"linux-modules-$release=$version" "linux-source-7.3=$version"
	cd "$work"
	apt_in debian-kernel download "linux-binary-$release=$version"
	rm -rf partial lock
	mv -T "$work" "$(debian_kernel_packages)"
	cd /
}

build_debian_kernel() {
	local folder work root release packages ours
	folder=$(debian_kernel_folder) # of kernel/ as it is now
	release=$(debian_kernel_release)
	work=$(work_folder)
	root=$work/root
	ours=dpdk-iommufd-modules/$(dpkg-parsechangelog -l "$TREE/debian/changelog" -S Version)
	packages=$(debian_kernel_packages)
	echo "installing headers and source" >"$DETAIL"
	cp -a --reflink=auto "$(userland_folder "$DEBIAN_KERNEL_SUITE")" "$root"
	dpkg-deb -x "$packages/linux-binary-$release"_*.deb "$work/image"
	mkdir "$work/install"
	ln "$packages"/*.deb "$work/install"
	rm "$work/install/linux-binary-"*.deb
	in_root "$root" dpkg --install "$work/install"/*.deb
	"$TREE/kernel/install" "$root" "${ours#*/}"
	echo "building the modules" >"$DETAIL"
	time in_root "$root" dkms install "$ours" -k "$release" ||
		{ cat "$root/var/lib/dkms/$ours/build/make.log" && return 1; }
	mkdir "$work/result"
	take_debian_modules "$root" "$release" "$work/result"
	cp "$work/image/usr/lib/modules/$release/vmlinuz" "$work/result/vmlinuz"
	in_root "$root" dkms remove "$ours" --all
	check_debian_removal "$root" "$release"
	mkdir -p "$work/result/packaged/lib/modules"
	mv "$root/lib/modules/$release" "$work/result/packaged/lib/modules"
	mv -T "$work/result" "$folder"
	rm -rf "$work"
}

# take_debian_modules ROOT RELEASE RESULT. depmod writes new files beside the old ones: links do.
take_debian_modules() {
	local file number=10
	mkdir -p "$3/boot" "$3/modules/lib/modules"
	cp -al "$1/lib/modules/$2" "$3/modules/lib/modules"
	in_root "$1" modprobe --set-version "$2" --show-depends --all "${DEBIAN_KERNEL_BOOT[@]}" |
		awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r file; do
		xz --decompress --stdout "$1$file" >"$3/boot/$number-$(basename "$file" .xz)"
		number=$((number + 1))
	done
}

# check_debian_removal ROOT RELEASE: what modprobe would load is the kernel's again, and nothing else is left.
check_debian_removal() {
	local file
	file=$(in_root "$1" modinfo -k "$2" -F filename vfio-pci)
	if [ "${file#/lib/modules/"$2"/kernel/}" = "$file" ] ||
		in_root "$1" modinfo -k "$2" iommufd || [ -e "$1/lib/modules/$2/updates" ]; then
		echo "dkms has left modules behind: vfio-pci is $file"
		return 1
	fi
}

remove_old_debian_kernels() {
	local folder
	for folder in "$CACHE"/debian-kernel-[0-9]*; do
		[ "$folder" = "$(debian_kernel_folder)" ] || rm -rf "$folder"
	done
}
