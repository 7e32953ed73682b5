// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// System calls of the model; what the ioctls do stands in fake_ioctls.cpp.

#include "fake_kernel.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

namespace iommufd::test {
namespace {

constexpr std::uint64_t region_mask = (1ULL << 40) - 1;
constexpr std::size_t command = 4; // PCI command register, bit 2 is bus master

} // namespace

std::ostream &operator<<(std::ostream &out, const Census &c) {
    return out << c.fds << " fds, " << c.mappings << " mappings, " << c.bound << " bound, "
               << c.attached << " attached, " << c.contexts << " contexts, " << c.areas
               << " areas, " << c.pinned << " bytes pinned";
}

FakeKernel::FakeKernel() = default;

FakeKernel::~FakeKernel() {
    for (const auto &[addr, mapping] : mappings_)
        if (mapping.cdev)
            (void)::munmap(addr, mapping.length);
}

// The last close: vfio_pci_core_disable() stops the function before anything is unpinned.
FakeKernel::CdevFile::~CdevFile() {
    if (!context)
        return;
    if (device->dma_live)
        ++device->stopped_by_kernel;
    device->dma_live = false;
    device->config[command] &= static_cast<std::uint8_t>(~4U);
    detach();
}

void FakeKernel::CdevFile::detach() {
    if (ioas == 0)
        return;
    std::erase(context->ioas.at(ioas).attached, device);
    ioas = 0;
}

void FakeKernel::arm(int n, int first, int rest) {
    counter_ = 0;
    failed_ = 0;
    fail_at_ = n;
    first_error_ = first;
    rest_error_ = rest;
}

int FakeKernel::enter(const std::string &name) {
    calls.push_back(name);
    if (const auto found = named_.find(name); found != named_.end() && found->second != 0)
        return -found->second;
    if (fail_at_ == 0 || ++counter_ < fail_at_ || (counter_ > fail_at_ && rest_error_ == 0))
        return 0;
    ++failed_;
    return counter_ == fail_at_ ? -first_error_ : -rest_error_;
}

FakeKernel::File *FakeKernel::find(int fd, const char *name) {
    const auto found = fds_.find(fd);
    if (found != fds_.end())
        return &found->second;
    ADD_FAILURE() << name << " of fd " << fd << ", which is not open";
    return nullptr;
}

int FakeKernel::add(File file) {
    fds_.emplace(next_fd_, std::move(file));
    return next_fd_++; // never the same again, so that a second close is seen
}

int FakeKernel::add_hugepage_file(std::uint64_t page) {
    File file;
    file.hugepage = page;
    return add(std::move(file));
}

int FakeKernel::truncate_hugepage_file(int fd, std::uint64_t length) {
    File *file = find(fd, "ftruncate");
    if (file == nullptr || file->hugepage == 0 || !is_aligned(length, file->hugepage))
        return -EINVAL;
    file->length = length;
    return 0;
}

long FakeKernel::hugepage_files() const {
    return std::count_if(fds_.begin(), fds_.end(),
                         [](const auto &entry) { return entry.second.hugepage != 0; });
}

long FakeKernel::count(const std::string &name) const {
    return std::count(calls.begin(), calls.end(), name);
}

Census FakeKernel::census() const {
    Census census{.fds = fds_.size(), .mappings = mappings_.size(), .pinned = pinned()};
    for (const auto &weak : contexts_) {
        const auto context = weak.lock();
        if (!context)
            continue;
        ++census.contexts;
        for (const auto &[id, ioas] : context->ioas) {
            census.areas += ioas.areas.size();
            census.attached += ioas.attached.size();
        }
    }
    for (const auto &weak : cdevs_)
        if (const auto file = weak.lock(); file && file->context)
            ++census.bound;
    return census;
}

std::uint64_t FakeKernel::pinned() const {
    std::uint64_t bytes = 0;
    for (const auto &weak : contexts_)
        if (const auto context = weak.lock())
            for (const auto &[id, ioas] : context->ioas)
                for (const auto &[start, length] : ioas.areas)
                    bytes += ioas.attached.empty() ? 0 : length;
    return bytes;
}

int FakeKernel::open(const char *path, int flags) {
    EXPECT_EQ(flags & O_ACCMODE, O_RDWR) << path;
    if (const int ret = enter("open"); ret < 0)
        return ret;
    if (const auto error = open_errors.find(path); error != open_errors.end())
        return -error->second;
    if (std::strcmp(path, iommu) == 0) {
        auto context = std::make_shared<Context>();
        contexts_.push_back(context);
        return add({.iommu = std::move(context), .cdev = nullptr});
    }
    const auto device = devices.find(path);
    if (device == devices.end()) {
        ADD_FAILURE() << "open of " << path << ", which is not there";
        return -ENOENT;
    }
    if (!has_rawio)
        return -EPERM;
    auto file = std::make_shared<CdevFile>(device->second);
    cdevs_.push_back(file);
    return add({.iommu = nullptr, .cdev = std::move(file)});
}

// Of descriptors that came from elsewhere too.
int FakeKernel::set_cloexec(int fd) {
    const int ret = enter("F_SETFD");
    if (ret == 0)
        closed_by_exec.push_back(fd);
    return ret;
}

int FakeKernel::close(int fd) {
    if (find(fd, "close") == nullptr)
        return -EBADF;
    const int ret = enter("close");
    fds_.erase(fd);
    return ret;
}

int FakeKernel::mmap(std::size_t length, int fd, off_t offset, void **addr) {
    File *file = find(fd, "mmap");
    if (file == nullptr)
        return -EBADF;
    if (const int ret = enter("mmap"); ret < 0)
        return ret;
    if (file->hugepage != 0) {
        if (length == 0 || length > file->length || offset != 0)
            return -EINVAL;
        std::uint64_t free = hugepages_start; // the lowest address above all mappings of them
        for (const auto &[start, mapping] : mappings_)
            if (!mapping.cdev)
                free = std::max(free, (raw(va_of(start)) + mapping.length + page_1g - 1) &
                                          ~(page_1g - 1));
        *addr = reinterpret_cast<void *>(free);
        mappings_.emplace(*addr, Mapping{length, nullptr});
        return 0;
    }
    const auto index = static_cast<std::uint64_t>(offset) >> 40;
    if (!file->cdev || !file->cdev->context || index >= file->cdev->device->bars.size())
        return -EINVAL;
    const FakeBar &bar = file->cdev->device->bars[index];
    const std::uint64_t start = static_cast<std::uint64_t>(offset) & region_mask;
    if (!bar.can_mmap || length == 0 || start + length > bar.size)
        return -EINVAL;
    void *mapped =
        ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) // NOLINT(*-cstyle-cast)
        return -errno;
    mappings_.emplace(mapped, Mapping{length, file->cdev});
    *addr = mapped;
    return 0;
}

int FakeKernel::munmap(void *addr, std::size_t length) {
    calls.emplace_back("munmap");
    const auto found = mappings_.find(addr);
    if (found == mappings_.end() || found->second.length != length) {
        ADD_FAILURE() << "munmap of " << length << " bytes at " << addr
                      << ", which is not a mapping";
        return -EINVAL;
    }
    if (found->second.cdev)
        (void)::munmap(addr, length);
    mappings_.erase(found);
    return 0;
}

// Bytes of the configuration space that [offset, offset + length) reaches, or an error.
ssize_t FakeKernel::config_range(int fd, const char *name, std::size_t length, off_t offset,
                                 CdevFile **file, std::size_t *start) {
    File *found = find(fd, name);
    if (found == nullptr)
        return -EBADF;
    if (const int ret = enter(name); ret < 0)
        return ret;
    *start = static_cast<std::uint64_t>(offset) & region_mask;
    if (!found->cdev || !found->cdev->context ||
        static_cast<std::uint64_t>(offset) >> 40 != uapi::pci_config_region ||
        *start >= found->cdev->device->config_size)
        return -EINVAL;
    *file = found->cdev.get();
    return static_cast<ssize_t>(
        std::min({length, io_limit, (*file)->device->config_size - *start}));
}

ssize_t FakeKernel::pread(int fd, void *buf, std::size_t length, off_t offset) {
    CdevFile *file = nullptr;
    std::size_t start = 0;
    const ssize_t moved = config_range(fd, "pread", length, offset, &file, &start);
    if (moved > 0)
        std::memcpy(buf, file->device->config.data() + start, static_cast<std::size_t>(moved));
    return moved;
}

ssize_t FakeKernel::pwrite(int fd, const void *buf, std::size_t length, off_t offset) {
    CdevFile *file = nullptr;
    std::size_t start = 0;
    const ssize_t moved = config_range(fd, "pwrite", length, offset, &file, &start);
    if (moved <= 0)
        return moved;
    FakeDevice &device = *file->device;
    std::memcpy(device.config.data() + start, buf, static_cast<std::size_t>(moved));
    if (start <= command && command < start + static_cast<std::size_t>(moved))
        device.dma_live = device.bus_master(); // the driver is taken to have started its queues
    return moved;
}

int FakeKernel::memlock_limit(std::uint64_t *bytes) {
    if (const int ret = enter("memlock_limit"); ret < 0)
        return ret;
    *bytes = memlock;
    return 0;
}

} // namespace iommufd::test
