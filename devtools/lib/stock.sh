# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# The stock driver once more, compiled with the options that our own burst functions are compiled
# with, for a comparison in which the compiler is no difference. Its source is that of the
# distribution's DPDK package; it is kept and built below the cache.

stock_source() {
	echo "$CACHE/dpdk-e1000-$(dpdk_version)"
}

stock_plugin() {
	echo "$BUILD/bench/librte_net_e1000_rebuilt.so"
}

make_stock_source() {
	local work
	dpdk_version >"$DETAIL"
	[ ! -d "$(stock_source)" ] || return 0
	lock_cache
	work=$(work_folder)
	cd "$work"
	unpack_dpdk
	[ -s dpdk/drivers/net/e1000/igb_rxtx.c ]
	[ -d "$(stock_source)" ] || mv -T dpdk/drivers/net/e1000 "$(stock_source)"
	cd /
	rm -rf "$work"
}

# Optimisation, target and code generation of our AVX2 functions, out of the build itself.
our_options() {
	"${PYTHON[@]}" - "$BUILD/compile_commands.json" <<'END'
import json, shlex, sys

commands = [shlex.split(entry["command"]) for entry in json.load(open(sys.argv[1], encoding="utf-8"))]
ours = next(words for words in commands if "-mavx2" in words)
kinds = ("-O", "-m", "-fPIC")
print("\n".join(word for word in ours if word.startswith(kinds)))
END
}

# All of the driver but its part for the 8254x (em_*), under a name of its own. Its warnings are
# not ours to mend.
make_stock_plugin() {
	local options command
	mapfile -t options < <(our_options)
	[ ${#options[@]} -gt 0 ]
	# shellcheck disable=SC2207 # words
	command=(
		gcc "${options[@]}" -w -shared -Dnet_e1000_igb=net_e1000_igb_rebuilt
		-DALLOW_INTERNAL_API -DALLOW_EXPERIMENTAL_API $(pkg-config --cflags libdpdk)
		-I "$(stock_source)" -I "$(stock_source)/base" -I "$(sdk_folder)/include"
		"$(stock_source)"/{base/*,igb_*,e1000_logs}.c
		-Wl,--no-undefined $(pkg-config --libs libdpdk) -lrte_bus_pci
	)
	echo "gcc $(gcc -dumpfullversion) ${options[*]}" >"$DETAIL"
	if [ "$(cat "$(stock_plugin).command" 2>/dev/null)" != "${command[*]}" ]; then
		mkdir -p "$(dirname "$(stock_plugin)")"
		"${command[@]}" -o "$(stock_plugin)"
		echo "${command[*]}" >"$(stock_plugin).command"
	fi
}
