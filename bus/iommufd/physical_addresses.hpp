// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

namespace iommufd::eal {

// Whether the command line of the process asks for physical addresses with --iova-mode=pa.
// cmdline_path: "/proc/self/cmdline" but in tests.
bool pa_mode_asked_for(const char *cmdline_path);

// Answer EAL's test for physical addresses with "not available" before EAL makes it, so that
// /proc/self/pagemap is never opened. To be called while the buses are scanned, from EAL's
// thread. Nothing happens if EAL has made the test already, or makes it in a way that this
// does not know; it then opens pagemap once and takes nothing from it.
void answer_pagemap_test();

} // namespace iommufd::eal
