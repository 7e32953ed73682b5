#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Sets up, builds and runs the tests. See --help.

# shellcheck source=lib/setup.sh
. "$(dirname "$0")/lib/setup.sh"

program=$DEVTOOLS/testing/run.py
check_arguments "$program" "$@"
check_system
suite=$(value_of --userland "$@")
needs_lab=yes
case " $* " in
*" --unit "* | *" --sanitize "* | *" --host "*) needs_lab= ;;
esac
check_room "$([ -n "$needs_lab" ] && echo "$LARGEST_LAB_MEMORY" || echo 1)"
clean_up_at_exit
open_log test
if [ -n "$suite" ]; then
	expect_steps $((SETUP_STEPS + 3))
else
	expect_steps $((SETUP_STEPS + ${needs_lab:+1} + 0))
fi
set_up keep
if [ -n "$suite" ]; then
	step "user space of Debian $suite (first time: about 5 min)" make_userland "$suite"
	step "its DPDK's driver SDK headers" make_userland_sdk "$suite"
	step "build in it" make_userland_build "$suite"
	export_userland "$suite"
elif [ -n "$needs_lab" ]; then
	step "applications for the lab" make_apps
fi
run_child "${PYTHON[@]}" "$program" "$BUILD" "$LOG" "$@"
