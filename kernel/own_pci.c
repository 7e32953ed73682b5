// SPDX-License-Identifier: BSD-3-Clause
#include "own_vfio.h"
