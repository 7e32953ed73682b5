#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The modules for Debian's kernel (kernel/), without a kernel: what `prepare` cuts and what it refuses, what
# modprobe is told of modules that do not go with them, and where all of it is installed.

# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"

KERNEL=7.3.4+deb13-amd64
VERSION=7.3.4-1~bpo13+1
HEADERS=$WORK/headers
PATH=$WORK/bin:$PATH
export DPDK_IOMMUFD_LINUX_SOURCES=$WORK/src WORK
mkdir -p "$WORK"/{bin,src,build,headers/include/config}

# Packages that are "installed": NAME STATUS VERSION. What is no line there is not.
cat >"$WORK/bin/dpkg-query" <<'FAKE'
#!/bin/bash
while read -r name status version; do
	[ "$name" != "${!#}" ] || { echo "$status $version" && exit; }
done <"$WORK/packages"
exit 1
FAKE
chmod +x "$WORK/bin/dpkg-query"
packages() {
	cat >"$WORK/packages" <<-LIST
		linux-headers-$KERNEL iF  ${1:-$VERSION}
		linux-modules-$KERNEL ii  ${2:-$VERSION}
		linux-source-7.3 iU  ${3:-$VERSION}
	LIST
}
config() {
	printf '%s\n' CONFIG_VFIO=m CONFIG_VFIO_PCI=m CONFIG_INTERVAL_TREE=y CONFIG_IOMMU_API=y \
		CONFIG_IOMMU_PT=y "$@" >"$HEADERS/include/config/auto.conf"
}

# archive SUBLEVEL INTERVAL_TREE: a source package with a line in each file.
archive() {
	local root=$WORK/linux-source-7.3 file
	rm -rf "$root" "$WORK/src"/*
	for file in $(sh -c '. /dev/stdin; files' <<<"$(sed -n '/^files()/,/^}/p' kernel/prepare)"); do
		mkdir -p "$root/$(dirname "$file")"
		echo "/* $file */" >"$root/$file"
	done
	printf 'VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = %s\nEXTRAVERSION =\n' "$1" >"$root/Makefile"
	echo "$2" >"$root/lib/interval_tree.c"
	echo unused >"$root/drivers/vfio/Kconfig"
	tar -C "$WORK" -cJf "$WORK/src/linux-source-7.3.tar.xz" linux-source-7.3
}
TREE_C='#include <linux/interval_tree_generic.h>
EXPORT_SYMBOL_GPL(interval_tree_insert);
#ifdef CONFIG_INTERVAL_TREE_SPAN_ITER
static void helper(void) { }
void interval_tree_span_iter_first(int a) { }
EXPORT_SYMBOL_GPL(interval_tree_span_iter_first);
void interval_tree_span_iter_next(int a) { }
void interval_tree_span_iter_advance(int a) { }
#endif'
prepare() {
	rm -rf "$WORK/build"
	mkdir "$WORK/build"
	run env -C "$WORK/build" "$TREE/kernel/prepare" "$@" "$KERNEL" "$HEADERS"
}
# refuses WORD...: all in what it says, and nothing is left that could be built.
refuses() {
	local word
	for word in "$@"; do
		err_has "$word" || return
	done
	status_is 77 && [ ! -e "$WORK/build/span_iter.c" ]
}

packages
config
archive 4 "$TREE_C"
prepare
check "sources of the kernel's own version are cut out" status_is 0
cut() {
	diff - "$WORK/build/span_iter.c" <<-'WANTED' && [ ! -e "$WORK/build/lib" ] &&
		#include <linux/interval_tree.h>
		#include <linux/compiler.h>
		static void helper(void) { }
		void interval_tree_span_iter_first(int a) { }
		void interval_tree_span_iter_next(int a) { }
		void interval_tree_span_iter_advance(int a) { }
	WANTED
		grep -q 'pci/vfio_pci_priv.h' "$WORK/build/drivers/vfio/pci/vfio_pci_priv.h" &&
		[ ! -e "$WORK/build/drivers/vfio/Kconfig" ]
}
check "the three functions, not exported, and no file that is not needed" cut
objects() {
	local object
	grep -oE '[a-z0-9_]+\.o\b' kernel/Kbuild | sort -u | while read -r object; do
		case $object in
		vfio.o | core.o | pci.o | own_*.o) continue ;;
		esac
		find "$WORK/build" -name "${object%.o}.c" | grep -q . || { echo "no $object" >&2 && exit 1; }
	done
}
check "every object of Kbuild has its source" objects
prepare --check
check "--check cuts nothing" test ! -e "$WORK/build/drivers"
check "and succeeds" status_is 0

packages "" "" 7.3.5-1~bpo13+1
prepare
check "a source package of another version: both are named, and what to install" \
	refuses "$VERSION" 7.3.5-1~bpo13+1 "apt install linux-source-7.3=$VERSION"
prepare --check
check "--check says the same" refuses "$VERSION" 7.3.5-1~bpo13+1
packages "" 7.3.4-2~bpo13+1
prepare
check "headers of another version than the kernel's modules" refuses "$VERSION" 7.3.4-2~bpo13+1
packages
sed -i '/source/d' "$WORK/packages"
prepare
check "no source package" refuses "$VERSION" "apt install linux-source-7.3=$VERSION"
sed -i '/headers/d' "$WORK/packages"
prepare
check "a kernel of no package" refuses "no package linux-headers-$KERNEL"
packages
archive 5 "$TREE_C"
prepare
check "an archive that is of another release than its package" refuses "Linux 7.3.5" "$KERNEL"
archive 4 "${TREE_C//_advance/_other}"
prepare
check "an archive without one of the three functions" refuses interval_tree_span_iter_advance
config CONFIG_IOMMUFD=m
prepare
check "a kernel that has IOMMUFD itself" refuses "has IOMMUFD itself"
config
sed -i '/IOMMU_PT/d' "$HEADERS/include/config/auto.conf"
prepare
check "a kernel without what page tables stand on" refuses "without IOMMU_PT"

# --- modprobe ---
printf '#!/bin/sh\necho modprobe "$@"\n' >"$WORK/bin/modprobe"
chmod +x "$WORK/bin/modprobe"
vfio_imports() {
	printf '#!/bin/sh\necho "%s"\n' "$1" >"$WORK/bin/modinfo"
	chmod +x "$WORK/bin/modinfo"
}
export DPDK_IOMMUFD_KMSG=$WORK/kmsg
touch "$DPDK_IOMMUFD_KMSG"
vfio_imports DPDK_IOMMUFD_VFIO
run kernel/refuse kvmgt
check "kvmgt is not loaded beside these modules" status_is 1
check "and it is said what to do" err_has "apt remove dpdk-iommufd-modules"
check "to the kernel's log too" grep -q '^<4>.*kvmgt is not loaded' "$DPDK_IOMMUFD_KMSG"
vfio_imports IOMMUFD
run kernel/refuse kvmgt some=parameter
check "where vfio is the kernel's own it is loaded" out_is "modprobe --ignore-install kvmgt some=parameter
"

# --- what is installed ---
run kernel/install "$WORK/root" 1.2.3
check "kernel/install" status_is 0
installed() {
	diff - <(cd "$WORK/root" && find . -type f -printf '%m %P\n' | LC_ALL=C sort -k 2) <<-'WANTED' >&2
		644 usr/lib/modprobe.d/dpdk-iommufd-modules.conf
		755 usr/libexec/dpdk-iommufd-modules/refuse
		644 usr/src/dpdk-iommufd-modules-1.2.3/Kbuild
		644 usr/src/dpdk-iommufd-modules-1.2.3/dkms.conf
		644 usr/src/dpdk-iommufd-modules-1.2.3/own_pci.c
		644 usr/src/dpdk-iommufd-modules-1.2.3/own_pci_core.c
		644 usr/src/dpdk-iommufd-modules-1.2.3/own_type1.c
		644 usr/src/dpdk-iommufd-modules-1.2.3/own_vfio.c
		644 usr/src/dpdk-iommufd-modules-1.2.3/own_vfio.h
		755 usr/src/dpdk-iommufd-modules-1.2.3/prepare
	WANTED
}
check "files and their modes" installed
dkms_reads() {
	(
		export kernelver=$KERNEL kernel_source_dir=/headers
		# shellcheck source=/dev/null
		. "$WORK/root/usr/src/dpdk-iommufd-modules-1.2.3/dkms.conf"
		[ "$PACKAGE_VERSION" = 1.2.3 ] && [ "$PRE_BUILD" = "prepare $KERNEL /headers" ] &&
			[[ $KERNEL =~ $BUILD_EXCLUSIVE_KERNEL && ! 7.30.1-x =~ $BUILD_EXCLUSIVE_KERNEL ]]
	)
}
check "dkms.conf: version, what it starts, for which kernels" dkms_reads

done_testing
