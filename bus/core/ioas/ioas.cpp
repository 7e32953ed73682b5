// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "core/ioas/ioas.hpp"

#include <cerrno>

#include <fcntl.h>

#include "core/ioas/messages.hpp"
#include "core/sys/broker_remedy.hpp"

namespace iommufd {
namespace {

constexpr const char *iommu_path = "/dev/iommu";

std::string open_remedy(int ret) {
    switch (-ret) {
    case ENOENT:
        return "the kernel has no iommufd: Linux >= 7.3 with CONFIG_IOMMUFD is needed, and "
               "'modprobe iommufd' where it is a module";
    case EACCES:
        return "make /dev/iommu readable and writeable for this user";
    default:
        return broker_remedy(ret);
    }
}

std::string get_pa_remedy(int ret) {
    switch (-ret) {
    case EPERM:
        return "CAP_SYS_RAWIO is needed, and a user namespace's does not count";
    case ENOTTY:
        return "the kernel is older than 7.3 or built without IOMMUFD_NOIOMMU";
    case EOPNOTSUPP:
        return "no no-IOMMU device is attached to the address space";
    default:
        return broker_remedy(ret);
    }
}

} // namespace

Result<void> Ioas::open(RlimitMode mode) {
    if (iommufd_)
        return {};
    const int fd = kernel_.open(iommu_path, O_RDWR);
    if (fd < 0)
        return failure(fd, std::string("open of ") + iommu_path, open_remedy(fd));
    Fd owned(kernel_, fd);
    // Only before the first object exists (Linux 7.3, iommufd_option_rlimit_mode()).
    if (mode != RlimitMode::user)
        if (const int ret = option_rlimit_mode(kernel_, fd, static_cast<std::uint64_t>(mode));
            ret < 0)
            return failure(ret, "IOMMU_OPTION_RLIMIT_MODE",
                           ret == -EPERM ? "charging pins to the process needs CAP_SYS_RESOURCE; "
                                           "leave rlimit_mode=process out"
                                         : "");
    if (const int ret = ioas_alloc(kernel_, fd, &id_); ret < 0)
        return failure(ret, "IOMMU_IOAS_ALLOC");
    iommufd_ = std::move(owned);
    return {};
}

void Ioas::close() {
    iommufd_.reset();
    pinned_ = 0;
}

Result<void> Ioas::finish_map(int ret, const char *call, Va va, std::uint64_t length) {
    if (ret >= 0) {
        pinned_ += length;
        return {};
    }
    std::string remedy;
    switch (-ret) {
    case ENOMEM:
        remedy = memlock_remedy(pinned_ + length);
        break;
    case EFAULT:
        remedy = "the memory is not there, not writeable, or the hugepage pool is empty";
        break;
    case EEXIST:
        remedy = "something else is mapped there in the IOAS; nothing was taken for granted";
        break;
    default:
        break;
    }
    return failure(ret, range_text(call, va, length), std::move(remedy));
}

Result<void> Ioas::map(Va va, std::uint64_t length) {
    const Stopwatch time(&costs_.map_ns);
    ++costs_.map_calls;
    return finish_map(ioas_map(kernel_, iommufd_.get(), id_, raw(va), length), "IOMMU_IOAS_MAP", va,
                      length);
}

Result<void> Ioas::map_file(Va va, std::uint64_t length, int fd) {
    const Stopwatch time(&costs_.map_ns);
    ++costs_.map_calls;
    return finish_map(ioas_map_file(kernel_, iommufd_.get(), id_, fd, raw(va), length),
                      "IOMMU_IOAS_MAP_FILE", va, length);
}

Result<void> Ioas::unmap(Va va, std::uint64_t length) {
    const Stopwatch time(&costs_.unmap_ns);
    ++costs_.unmap_calls;
    if (const int ret = ioas_unmap(kernel_, iommufd_.get(), id_, raw(va), length); ret < 0)
        return failure(ret, range_text("IOMMU_IOAS_UNMAP", va, length));
    pinned_ -= length;
    return {};
}

Result<void> Ioas::get_pa(std::span<PaQuery> queries, std::uint64_t page_size) {
    constexpr const char *call = "IOMMU_IOAS_NOIOMMU_GET_PA";
    costs_.get_pa_calls += queries.size();
    int ret = kernel_.noiommu_get_pa(iommufd_.get(), id_, queries);
    for (PaQuery &query : queries) {
        ret = ret < 0 ? ret : query.error;
        if (ret < 0)
            return failure(ret, range_text(call, Va{query.iova}, 1), get_pa_remedy(ret));
        if (page_size != page_4k) // the rest of a hugepage follows, asked for or not
            query.run = page_size;
        if (!is_aligned(query.pa, page_size) || !is_aligned(query.run, page_size) ||
            query.run == 0 || (page_size == page_4k && query.run > query.limit))
            return failure(-EIO, range_text(call, Va{query.iova}, query.limit),
                           "the answer does not fit a page of " + std::to_string(page_size) +
                               " bytes");
    }
    return {};
}

std::string Ioas::memlock_remedy(std::uint64_t needed) const {
    std::uint64_t limit = UINT64_MAX;
    if (kernel_.memlock_limit(&limit) < 0 || limit >= needed)
        return {};
    return memlock_text(limit, needed);
}

} // namespace iommufd
