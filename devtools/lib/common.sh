# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# What every command here shares: where things are, and what is done at the end.

set -uo pipefail

LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
DEVTOOLS=$(dirname "$LIB")
TREE=$(dirname "$DEVTOOLS")
BUILD=${DPDK_IOMMUFD_BUILD:-$TREE/build}
CACHE=${DPDK_IOMMUFD_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/dpdk-iommufd}
# Debian's own interpreter, without the user's additions to it.
PYTHON=(/usr/bin/python3 -sS)
# The distribution's tools before the user's own of the same names.
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
export PYTHONDONTWRITEBYTECODE=1 LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive

# Compiled objects outlive the tree: a fresh clone of the same sources compiles nothing.
export CCACHE_DIR=$CACHE/ccache CCACHE_BASEDIR=$TREE CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=2G

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
