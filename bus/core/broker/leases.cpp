// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "core/broker/leases.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/mman.h>

namespace iommufd::broker {
namespace {

struct flock lock_of(short type, std::size_t device) {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = static_cast<off_t>(device);
    lock.l_len = 1;
    return lock;
}

} // namespace

Result<Leases> Leases::create() {
    const int fd = memfd_create("dpdk-iommufd leases", MFD_CLOEXEC);
    if (fd < 0)
        return failure(-errno, "memfd_create for the leases of devices");
    return Leases(Fd(linux_kernel(), fd));
}

int Leases::take(std::size_t device) const {
    auto lock = lock_of(F_WRLCK, device);
    if (fcntl(file_.get(), F_SETLK, &lock) == 0)
        return 0;
    return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

void Leases::release(std::size_t device) const {
    auto lock = lock_of(F_UNLCK, device);
    (void)fcntl(file_.get(), F_SETLK, &lock);
}

bool Leases::is_taken_by_another(std::size_t device) const {
    auto lock = lock_of(F_WRLCK, device);
    return fcntl(file_.get(), F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

} // namespace iommufd::broker
