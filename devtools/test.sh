#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Sets up, builds and runs the tests. See --help.

# shellcheck source=lib/setup.sh
. "$(dirname "$0")/lib/setup.sh"

program=$DEVTOOLS/testing/run.py
check_arguments "$program" "$@"
check_system
case " $* " in
*" --unit "* | *" --sanitize "* | *" --host "*) check_room 1 ;;
*) check_room "$LARGEST_LAB_MEMORY" ;;
esac
clean_up_at_exit
open_log test
expect_steps $SETUP_STEPS
set_up keep
run_child "${PYTHON[@]}" "$program" "$BUILD" "$LOG" "$@"
