# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Configures and builds the tree.

# A build folder outside of the tree says in a file whose it is, and is removed when that is gone.
link_build() {
	local folder
	if [ "$BUILD" = "$TREE/build" ] || [ -n "${DPDK_IOMMUFD_BUILD:-}" ]; then
		return
	fi
	mkdir -p "$BUILD"
	echo "$TREE" >"$BUILD/tree"
	for folder in "${BUILD%/*}"/*; do
		[ ! -f "$folder/tree" ] || [ -d "$(cat "$folder/tree")" ] || rm -rf "$folder"
	done
	if [ -L "$TREE/build" ] || [ ! -e "$TREE/build" ]; then
		ln -sfn "$BUILD" "$TREE/build"
	fi
}

make_build() {
	configure_and_build "-Ddriver_sdk=$(sdk_folder)/include" \
		"-Duapi_headers=$(uapi_folder)/usr/include" -Dtests=true
}

make_user_build() {
	configure_and_build "-Ddriver_sdk=$(sdk_folder)/include" -Duapi_headers= -Dtests=false
}

configure_and_build() {
	local options=("$@")
	link_build
	mkdir -p "$BUILD"
	lock_cache "$BUILD/lock" # nobody waits for the build of another tree
	cd "$TREE" || return
	if [ -f "$BUILD/build.ninja" ] && [ "$(cat "$BUILD/configured" 2>/dev/null)" = "${options[*]}" ]; then
		:
	elif [ -d "$BUILD/meson-info" ]; then
		meson setup --reconfigure "$BUILD" "${options[@]}" || meson setup --wipe "$BUILD" "${options[@]}"
	else
		meson setup "$BUILD" "${options[@]}"
	fi
	echo "${options[*]}" >"$BUILD/configured"
	# Ninja's "[12/34]" is what is left.
	NINJA_STATUS='[%f/%t] ' ninja -C "$BUILD" | while read -r line; do
		echo "$line"
		case $line in
		'['*/*']'*) echo "${line%%]*}]" >"$DETAIL" ;;
		esac
	done
	: >"$DETAIL"
}
