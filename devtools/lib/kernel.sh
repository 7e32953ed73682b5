# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# The lab's kernel, built from the newest released linux-source-7.3 of Debian's suites, and the
# UAPI headers of the same version.
#
#   $CACHE/kernel-source       "PACKAGE VERSION" that was chosen; a warm start looks no further
#   $CACHE/kernel-VERSION-KEY  bzImage, config, System.map; KEY: the fragment and the recipe
#   $CACHE/kernel-kasan-...    the same with KASAN and UBSAN, if LAB_KERNEL_FLAVOUR=kasan asked for it
#   $CACHE/uapi-VERSION        linux-libc-dev, unpacked

# A release candidate ("7.3~rc7") is older than this. The suites of a release are asked for by its
# code name: not every archive knows the alias stable-backports.
KERNEL_MINIMUM=7.3
KERNEL_SUITES=(unstable testing trixie-backports)
KERNEL_FRAGMENT=$DEVTOOLS/lab/kernel.config
KERNEL_FLAVOUR=${LAB_KERNEL_FLAVOUR:+-$LAB_KERNEL_FLAVOUR}
if [ -n "$KERNEL_FLAVOUR" ]; then
	[ -f "$DEVTOOLS/lab/kernel$KERNEL_FLAVOUR.config" ] ||
		die "LAB_KERNEL_FLAVOUR can be kasan, not '$LAB_KERNEL_FLAVOUR'."
	mkdir -p "$CACHE" || die "cannot write to the cache folder $CACHE"
	cat "$KERNEL_FRAGMENT" "$DEVTOOLS/lab/kernel$KERNEL_FLAVOUR.config" \
		>"$CACHE/fragment$KERNEL_FLAVOUR" || die "cannot write to the cache folder $CACHE"
	KERNEL_FRAGMENT=$CACHE/fragment$KERNEL_FLAVOUR
fi

kernel_choice() {
	[ -s "$CACHE/kernel-source" ] && cat "$CACHE/kernel-source"
}

kernel_version() {
	local choice
	choice=$(kernel_choice) && echo "${choice#* }"
}

kernel_folder() {
	local version
	version=$(kernel_version) || return
	echo "$CACHE/kernel$KERNEL_FLAVOUR-$version-$( (
		grep '^CONFIG_' "$KERNEL_FRAGMENT"
		declare -f build_kernel compile_kernel
	) | key)"
}

kernel_image() {
	local folder
	folder=$(kernel_folder) && echo "$folder/bzImage"
}

uapi_folder() {
	local version
	version=$(kernel_version) && echo "$CACHE/uapi-$version"
}

kernel_ready() {
	[ -s "$(kernel_image)" ] && [ -d "$(uapi_folder)" ]
} 2>/dev/null

update_kernel_suites() {
	private_apt kernel deb "${KERNEL_SUITES[@]}"
	# A suite that the archive does not have makes apt-get fail: what counts is what is found.
	apt_in kernel update || echo "some suites could not be read"
}

choose_kernel() {
	local choice
	update_kernel_suites
	if ! choice=$(newest_package kernel 'linux-source-7\.3' $KERNEL_MINIMUM); then
		echo "no released linux-source-7.3 in: ${KERNEL_SUITES[*]}"
		return 1
	fi
	echo "$choice" >"$CACHE/kernel-source.new"
	mv "$CACHE/kernel-source.new" "$CACHE/kernel-source"
	echo "chosen: $choice"
}

# make_kernel [refresh]: with refresh it looks for a newer one than the last time.
make_kernel() {
	if [ "${1:-}" != refresh ] && kernel_ready; then
		kernel_version >"$DETAIL"
		return
	fi
	lock_cache
	if [ "${1:-}" = refresh ] || ! kernel_choice; then
		choose_kernel
	fi
	[ -d "$(uapi_folder)" ] || unpack_uapi
	[ -s "$(kernel_image)" ] || build_kernel
	remove_old_kernels
	kernel_version >"$DETAIL"
}

# download PACKAGE VERSION: into the working folder, from the suites above.
download_package() {
	apt_in kernel download "$1=$2" && return
	# The chosen version has left the archive, or the lists are gone.
	update_kernel_suites
	apt_in kernel download "$1=$2"
}

unpack_uapi() {
	local work version
	version=$(kernel_version)
	work=$(work_folder)
	cd "$work"
	download_package linux-libc-dev "$version"
	dpkg-deb -x linux-libc-dev_*.deb unpacked
	mv -T unpacked "$(uapi_folder)"
	cd /
	rm -rf "$work"
}

build_kernel() {
	local work package version result
	read -r package version < <(kernel_choice)
	work=$(work_folder)
	cd "$work"
	echo "downloading $package" >"$DETAIL"
	download_package "$package" "$version"
	echo "unpacking" >"$DETAIL"
	dpkg-deb --fsys-tarfile "$package"_*.deb | tar -x --wildcards './usr/src/*.tar.xz'
	rm -f ./*.deb
	tar -xf usr/src/"$package".tar.xz
	rm -rf usr
	cd "$package"
	make tinyconfig
	KCONFIG_CONFIG=.config scripts/kconfig/merge_config.sh -m .config "$KERNEL_FRAGMENT"
	make olddefconfig
	check_fragment .config
	compile_kernel
	result=$work/result
	mkdir "$result"
	cp arch/x86/boot/bzImage System.map "$result"
	cp .config "$result/config"
	mv -T "$result" "$(kernel_folder)"
	cd /
	rm -rf "$work"
}

# Every line of the fragment must stand: an option that lost a dependency drops out silently.
check_fragment() {
	local line name lost=()
	while read -r line; do
		name=${line%%=*}
		case $line in
		CONFIG_*=n) ! grep -q "^$name=" "$1" || lost+=("$line") ;;
		CONFIG_*) grep -qxF "$line" "$1" || lost+=("$line") ;;
		esac
	done <"$KERNEL_FRAGMENT"
	if [ ${#lost[@]} -gt 0 ]; then
		echo "the kernel's configuration did not keep these lines of $KERNEL_FRAGMENT:"
		printf '  %s\n' "${lost[@]}"
		return 1
	fi
}

KERNEL_BUILD_LINES=2490 # that make prints, about; for the percentage only

compile_kernel() {
	local count=0 line
	make -j"$(nproc)" bzImage | while read -r line; do
		echo "$line"
		count=$((count + 1))
		[ $((count % 20)) != 0 ] || kernel_progress $((100 * count / KERNEL_BUILD_LINES))
	done
}

kernel_progress() {
	echo "$(($1 < 99 ? $1 : 99))%" >"$DETAIL"
}

remove_old_kernels() {
	local folder
	for folder in "$CACHE/kernel$KERNEL_FLAVOUR"-[0-9]*; do
		[ "$folder" = "$(kernel_folder)" ] || rm -rf "$folder"
	done
	for folder in "$CACHE"/uapi-[0-9]*; do
		[ "$folder" = "$(uapi_folder)" ] || rm -rf "$folder"
	done
}
