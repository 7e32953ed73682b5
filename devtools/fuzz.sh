#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Fuzzes what reads input of strangers, by libFuzzer under AddressSanitizer.
set -euo pipefail

TREE=$(cd "$(dirname "$0")/.." && pwd)
cd "$TREE"

usage() {
	cat <<END
usage: devtools/fuzz.sh [TARGET [RUNS]]

Builds tests/fuzz/fuzz_TARGET.cpp in build-fuzz/ and gives it RUNS inputs (1000000), starting
from real ones. Without TARGET, every one. A crash is left as a file in build-fuzz/ and the
status is not 0. Needs clang++-14 and libclang-rt-14-dev.

targets: $(targets | paste -sd' ')
END
}

targets() {
	basename -s .cpp tests/fuzz/fuzz_*.cpp | sed 's/^fuzz_//'
}

# sources TARGET: what it is linked with.
sources() {
	case $1 in
	broker) echo bus/core/broker/{server,message,leases}.cpp bus/core/sys/{ioctls,linux_kernel}.cpp bus/core/vfio/pci_scan.cpp ;;
	elf) echo app/run/elf_file.cpp ;;
	esac
}

# seeds TARGET FOLDER: real inputs, small, so that they are mutated fast.
seeds() {
	case $1 in
	broker) # version 2: what needs nothing, what names the device, and get_pa of one address
		local type
		for type in 2 7; do # open_iommu, list_devices
			{ printf '\0IOMM\2\0%b\0' "\\0$type" && head -c 96 /dev/zero; } >"$2/$type"
		done
		for type in 3 5 6; do # open_device, bind_device, close_device
			{ printf '\1IOMM\2\0%b\0\0\0\0\0\0\0\0\0noiommu-vfio0' "\\0$type" &&
				head -c 75 /dev/zero; } >"$2/$type"
		done
		{ printf '\1IOMM\2\0\4\0\7\0\0\0\1\0\0\0' && head -c 104 /dev/zero; } >"$2/4"
		;;
	elf)
		echo 'int x;' | cc -x c - -shared -nostdlib -Wl,--no-as-needed -lm -Wl,-rpath,/opt/lib \
			-Wl,-z,max-page-size=512,-z,noseparate-code,-s -o "$2/library"
		head -c 4096 /etc/ld.so.cache >"$2/cache" || true
		;;
	esac
}

fuzz() {
	local target=$1 runs=$2 folder=build-fuzz/$1
	mkdir -p "$folder/corpus"
	seeds "$target" "$folder/corpus"
	# shellcheck disable=SC2046
	clang++-14 -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=undefined -Ibus -o "$folder/fuzz" \
		"tests/fuzz/fuzz_$target.cpp" $(sources "$target")
	"$folder/fuzz" -runs="$runs" -max_len=4096 -timeout=10 -artifact_prefix="$folder/" \
		-print_final_stats=1 "$folder/corpus"
}

case ${1:-} in
--help | -h) usage && exit ;;
-*) usage >&2 && exit 2 ;;
esac
for target in ${1:-$(targets)}; do
	fuzz "$target" "${2:-1000000}"
done
