# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# What every command here shares: where things are, and what is done at the end.

set -uo pipefail

LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
DEVTOOLS=$(dirname "$LIB")
TREE=$(dirname "$DEVTOOLS")
CACHE=${DPDK_IOMMUFD_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/dpdk-iommufd}
# Debian's own interpreter, without the user's additions to it.
PYTHON=(/usr/bin/python3 -sS)
# The distribution's tools before the user's own of the same names.
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
export PYTHONDONTWRITEBYTECODE=1 LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive

# Compiled objects outlive the tree: a fresh clone of the same sources compiles nothing.
export CCACHE_DIR=$CACHE/ccache CCACHE_BASEDIR=$TREE CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=2G

# Nobody but their owner may write to the files that are made here.
umask 022

# EAL loads no plugin from below a folder that anyone may write to: verify_perms() of DPDK 22.11,
# lib/eal/common/eal_common_options.c, looks at every folder of the real path.
eal_trusts() {
	local folder
	folder=$(realpath -m "$1")
	while :; do
		if [ -e "$folder" ] && [ $((0$(stat -c %a "$folder") & 2)) != 0 ]; then
			return 1
		fi
		[ "$folder" != / ] || return 0
		folder=$(dirname "$folder")
	done
}

# Where the tree is built: in its own folder build/, or where EAL will load what is built. Then
# build/ is a link to it.
build_folder() {
	local folder name
	if [ -n "${DPDK_IOMMUFD_BUILD:-}" ]; then
		echo "$DPDK_IOMMUFD_BUILD"
		return
	fi
	name=$(echo "$TREE" | sha256sum | cut -c1-12)
	for folder in "$TREE/build" "$CACHE/builds/$name" "/var/cache/dpdk-iommufd/builds/$name"; do
		eal_trusts "$folder" && break
	done
	echo "$folder"
}

BUILD=$(build_folder)

LOGS_TO_KEEP=10 # of each command

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# check_arguments PROGRAM ARGUMENT...: has the Python program judge what the user typed
# before anything slow is done; shows its --help. On a machine that has no Python yet, the
# arguments are judged later.
check_arguments() {
	local program=$1 word
	shift
	if [ ! -x "${PYTHON[0]}" ]; then
		[ "${1:-}" != --help ] || die "--help needs python3: run devtools/setup.sh first"
		return
	fi
	for word in "$@"; do
		case $word in
		--help | -h) exec "${PYTHON[@]}" "$program" --check --help ;;
		--) break ;;
		esac
	done
	"${PYTHON[@]}" "$program" --check "$@" || exit
}

# The files of the tree, as git knows them, whoever owns it; of an unpacked archive all there are.
tree_files() {
	if [ -e "$TREE/.git" ]; then
		git -c safe.directory="$TREE" -C "$TREE" ls-files --cached --others --exclude-standard
	else
		(cd "$TREE" && find . -type f -not -path './build*/*' -printf '%P\n')
	fi
}

# Creates the cache and starts this command's log.
open_log() {
	local name=$1
	mkdir -p "$CACHE/logs" "$CACHE/tmp" || die "cannot write to the cache folder $CACHE"
	LOG=$CACHE/logs/$name-$(date +%Y%m%d-%H%M%S)-$$.log
	echo "# $name, $(date -R), tree $TREE" >"$LOG"
	find "$CACHE/logs" -name "$name-*.log" -printf '%T@ %p\n' | sort -rn |
		tail -n "+$((LOGS_TO_KEEP + 1))" | cut -d' ' -f2- | xargs -r -d '\n' rm -f
	remove_stale_work
}

# A folder for the work of one step. On the cache's file system, so that its result can
# be renamed into place; removed when this command ends.
work_folder() {
	mktemp -d "$CACHE/tmp/$$-XXXXXX"
}

remove_own_work() {
	rm -rf "$CACHE/tmp/$$-"*
}

# What a run left behind that could not clean up after itself (kill -9, power cut).
remove_stale_work() {
	local folder owner
	for folder in "$CACHE/tmp"/*-*; do
		owner=${folder##*/}
		owner=${owner%%-*}
		[ ! -e "$folder" ] || [ -d "/proc/$owner" ] || rm -rf "$folder"
	done
}

# Short hash of what is read from standard input: the key of something cached.
key() {
	sha256sum | cut -c1-12
}
