#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The Debian packages of this tree: they are built, lintian has nothing against them, and each has what
# it is for. tests/lab/test_packages.py installs what is left here.

# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"

OUT=${LAB_BUILD:-build}/packages

run devtools/package.sh --help
check "--help" grep -q '^usage: devtools/package.sh' "$WORK/out"
run devtools/package.sh --trixie
check "a wrong argument" status_is 2

run devtools/package.sh
check "they are built, and lintian has nothing against them" status_is 0

plugins=$(find "$OUT" -name 'dpdk-iommufd-plugins-*.deb' -printf '%f\n')
plugins=${plugins%%_*} # with the number of the ABI

# has PACKAGE PATTERN...: files by these, and no other regular file.
has() {
	local package=$1 files pattern
	shift
	files=$(dpkg-deb --fsys-tarfile "$OUT/$package"_*.deb | tar -t | grep -v '/$')
	for pattern in "$@"; do
		echo "$files" | grep -qE "^\./$pattern$" || {
			echo "$package has no $pattern" >&2
			return 1
		}
	done
	files=$(echo "$files" | grep -vE "^\./(usr/share/doc/|$(
		IFS='|'
		echo "$*"
	))")
	[ -z "$files" ] || echo "$package has besides: $files" >&2
	[ -z "$files" ]
}
check "dpdk-iommufd: launcher, library, man page, completion, unit" has dpdk-iommufd \
	usr/bin/dpdk-iommufd-run 'usr/lib/[^/]*/dpdk-iommufd/librte_iommufd_preload.so' \
	usr/share/man/man1/dpdk-iommufd-run.1.gz usr/share/bash-completion/completions/dpdk-iommufd-run \
	'(usr/)?lib/systemd/system/dpdk-iommufd@.service'
check "the plugins: where this machine's DPDK loads them from" has "$plugins" \
	'usr/lib/[^/]*/dpdk/pmds-[0-9]*.0/librte_bus_iommufd.so' \
	'usr/lib/[^/]*/dpdk/pmds-[0-9]*.0/librte_mempool_iommufd.so' \
	'usr/lib/[^/]*/dpdk/pmds-[0-9]*.0/librte_net_iommufd_igb.so'
check "the modules: sources for DKMS, what modprobe is told" has dpdk-iommufd-modules \
	'usr/src/dpdk-iommufd-modules-[^/]*/(dkms.conf|Kbuild|prepare|own_[a-z0-9_]*\.[ch])' \
	usr/lib/modprobe.d/dpdk-iommufd-modules.conf usr/libexec/dpdk-iommufd-modules/refuse
check "the headers" has dpdk-iommufd-dev 'usr/include/dpdk-iommufd/[a-z_]*.h'

# Each depends on what it is linked with, of the DPDK that it was built for.
depends_on() {
	dpkg-deb --field "$OUT/$1"_*.deb Depends | grep -q "$2"
}
check "the plugins depend on their DPDK" depends_on "$plugins" 'librte-eal[0-9]'
check "the launcher depends on none" not depends_on dpdk-iommufd librte

done_testing
