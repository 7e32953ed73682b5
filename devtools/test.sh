#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Sets up, builds and runs the tests. See --help.

# shellcheck source=lib/setup.sh
. "$(dirname "$0")/lib/setup.sh"

program=$DEVTOOLS/testing/run.py
check_arguments "$program" "$@"
check_system
suite=$(value_of --userland "$@")
case " $* " in
*" --unit "* | *" --sanitize "* | *" --host "*) check_room 1 ;;
*) check_room "$LARGEST_LAB_MEMORY" ;;
esac
clean_up_at_exit
open_log test
expect_steps $((SETUP_STEPS + ${suite:+3} + 0))
set_up keep
if [ -n "$suite" ]; then
	step "user space of Debian $suite (first time: about 5 min)" make_userland "$suite"
	step "its DPDK's driver SDK headers" make_userland_sdk "$suite"
	step "build in it" make_userland_build "$suite"
	export_userland "$suite"
fi
run_child "${PYTHON[@]}" "$program" "$BUILD" "$LOG" "$@"
