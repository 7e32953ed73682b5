// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Which mutex guards what, in words that clang checks (-Wthread-safety, devtools/tidy.sh)
// and other compilers skip. Names as in clang's manual, "Thread Safety Analysis".

#if defined(__clang__)
#define IOMMUFD_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define IOMMUFD_THREAD_ATTRIBUTE(x)
#endif

// A class that can be held, and one whose objects hold it while they live.
#define CAPABILITY(name) IOMMUFD_THREAD_ATTRIBUTE(capability(name))
#define SCOPED_CAPABILITY IOMMUFD_THREAD_ATTRIBUTE(scoped_lockable)

// A member that is read and written with the mutex held alone.
#define GUARDED_BY(mutex) IOMMUFD_THREAD_ATTRIBUTE(guarded_by(mutex))

// A function that is called with the mutex held, or that must not be.
#define REQUIRES(...) IOMMUFD_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) IOMMUFD_THREAD_ATTRIBUTE(locks_excluded(__VA_ARGS__))

// A function that takes the mutex, or gives it back.
#define ACQUIRE(...) IOMMUFD_THREAD_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define RELEASE(...) IOMMUFD_THREAD_ATTRIBUTE(release_capability(__VA_ARGS__))

// A function that clang is not to look into; say why.
#define NO_THREAD_SAFETY_ANALYSIS IOMMUFD_THREAD_ATTRIBUTE(no_thread_safety_analysis)
