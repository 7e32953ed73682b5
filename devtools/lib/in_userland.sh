#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# in_userland.sh SUITE COMMAND...: runs a command in another Debian's user space, as
# devtools/test.sh --userland has made it.

# shellcheck source=setup.sh
. "$(dirname "$0")/setup.sh"
in_userland "$@"
