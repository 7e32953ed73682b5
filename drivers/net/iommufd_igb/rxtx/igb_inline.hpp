// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// For a function that is given to another one and is to become a part of it all the same. gcc sees
// through its address at -O3; at the -O1 of the sanitizers it does not, and refuses.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IGB_ALWAYS_INLINE inline
#else
#define IGB_ALWAYS_INLINE [[gnu::always_inline]] inline
#endif
