// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// A model of Linux 7.3's iommufd and vfio-pci for no-IOMMU devices, behind the seam of
// kernel/kernel.hpp. Its answers are those of drivers/iommu/iommufd/ and drivers/vfio/.
//
//     fd --> IommuFile --> Context { IOAS { areas } }
//     fd --> CdevFile  --> FakeDevice        bound: holds the Context; attached: to an IOAS
//     BAR mapping --> CdevFile               a mapping keeps the file, as in the kernel
//
// - Areas of an IOAS are pinned while a device is attached to it.
// - The last close of a cdev file stops DMA, detaches and unbinds; the end of the last user of
//   a Context releases every area.
// - A call that no correct program makes (an fd that is not open, an ioctl that is unknown, an
//   address that is not mapped) fails the test, and so does memory that is unpinned while an
//   attached device may write to it (but see may_unmap_under_dma).
//
// munmap(2) of a whole mapping never fails, and close(2) releases the descriptor even where it
// reports an error; injected failures respect that.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "core/sys/kernel.hpp"
#include "core/sys/uapi.hpp"
#include "fake_memory.hpp"

namespace iommufd::test {

struct FakeBar {
    std::uint64_t size = 0;
    bool can_mmap = true;
};

// A PCI function. Tests change the first part before they open it, and read the second.
struct FakeDevice {
    std::array<FakeBar, 6> bars{};
    std::uint64_t config_size = 4096;
    std::uint32_t regions = 9;
    bool is_pci = true;
    bool can_reset = true;
    bool group_open = false;      // the vfio group's node is open: BIND says EBUSY
    bool bound_elsewhere = false; // by another process: BIND says EINVAL
    std::optional<VfToken> token; // of a VF, or of a PF that has some: BIND says EACCES without

    std::array<std::uint8_t, 4096> config{};
    bool dma_live = false;     // bus master switched on, and neither it off nor a reset since
    int resets = 0;            // by VFIO_DEVICE_RESET
    int stopped_by_kernel = 0; // times the last close found it live

    [[nodiscard]] bool bus_master() const { return (config[4] & 4) != 0; }
};

// What a test left in the kernel.
struct Census {
    std::size_t fds = 0;
    std::size_t mappings = 0;
    std::size_t bound = 0;
    std::size_t attached = 0;
    std::size_t contexts = 0;
    std::size_t areas = 0;
    std::uint64_t pinned = 0; // bytes

    bool operator==(const Census &) const = default;
};
std::ostream &operator<<(std::ostream &out, const Census &census);

class FakeKernel final : public Kernel {
public:
    static constexpr const char *iommu = "/dev/iommu";
    static constexpr std::uint64_t bar_offset(unsigned int region) {
        return static_cast<std::uint64_t>(region) << 40; // VFIO_PCI_INDEX_TO_OFFSET
    }

    FakeKernel();
    ~FakeKernel() override;

    // --- the machine; change it before or between calls ----------------------------------
    FakeMemory memory;
    std::map<std::string, FakeDevice> devices; // by path of the cdev
    std::map<std::string, int> open_errors;    // path -> errno
    std::uint64_t memlock = UINT64_MAX;        // bytes; no CAP_IPC_LOCK
    bool has_rawio = true;
    bool has_sys_resource = true;
    std::uint64_t rlimit_mode = 0;    // that was set
    bool has_get_pa = true;           // Linux >= 7.3
    std::size_t max_pa_batch = 1;     // as if a broker had to be asked
    std::size_t io_limit = SIZE_MAX;  // bytes that pread and pwrite move at most
    bool may_unmap_under_dma = false; // the test knows that no device uses what is unmapped
    // Changes what GET_PA answers: iova, length, PA.
    std::function<void(std::uint64_t, std::uint64_t *, std::uint64_t *)> distort_get_pa;

    // --- failures -------------------------------------------------------------------------
    // The n-th failable call from now on (1 is the next) answers error.
    void fail_nth(int n, int error) { arm(n, error, 0); }
    // It and every later one: the first answers first, the others rest.
    void fail_from(int n, int first, int rest) { arm(n, first, rest); }
    // Every call of this name: "open", "VFIO_DEVICE_RESET", ...; 0 ends it.
    void fail_always(const std::string &name, int error) { named_[name] = error; }
    [[nodiscard]] bool has_failed() const { return failed_ != 0; }
    // Note the call; the error to answer, 0 for none.
    int enter(const std::string &name);

    // A file of hugepages, for fake_hugepages.hpp; mmap() gives it addresses without memory.
    static constexpr std::uint64_t hugepages_start = 0x300000000000;
    int add_hugepage_file(std::uint64_t page);
    int truncate_hugepage_file(int fd, std::uint64_t length);
    [[nodiscard]] long hugepage_files() const; // open

    // --- what happened --------------------------------------------------------------------
    std::vector<int> closed_by_exec;     // by set_cloexec()
    std::vector<std::string> calls;      // names, in order; failed ones too
    std::vector<std::size_t> pa_batches; // questions in each call of noiommu_get_pa()
    [[nodiscard]] long count(const std::string &name) const;
    [[nodiscard]] Census census() const;

    // --- Kernel ---------------------------------------------------------------------------
    int open(const char *path, int flags) override;
    int close(int fd) override;
    int set_cloexec(int fd) override;
    int ioctl(int fd, unsigned long request, void *arg) override;
    int mmap(std::size_t length, int fd, off_t offset, void **addr) override;
    int munmap(void *addr, std::size_t length) override;
    ssize_t pread(int fd, void *buf, std::size_t length, off_t offset) override;
    ssize_t pwrite(int fd, const void *buf, std::size_t length, off_t offset) override;
    int memlock_limit(std::uint64_t *bytes) override;
    int noiommu_get_pa(int iommufd, std::uint32_t ioas_id, std::span<PaQuery> queries) override {
        pa_batches.push_back(queries.size());
        return Kernel::noiommu_get_pa(iommufd, ioas_id, queries);
    }
    [[nodiscard]] std::size_t pa_batch() const override { return max_pa_batch; }

private:
    struct Ioas {
        std::map<std::uint64_t, std::uint64_t> areas; // start -> length
        std::map<std::uint64_t, std::uint64_t> vas;   // start -> VA, where it is not the start
        std::vector<FakeDevice *> attached;
    };
    struct Context {
        std::map<std::uint32_t, Ioas> ioas;
        std::uint32_t next_id = 1;
    };
    struct CdevFile {
        explicit CdevFile(FakeDevice &d) : device(&d) {}
        CdevFile(const CdevFile &) = delete;
        CdevFile &operator=(const CdevFile &) = delete;
        ~CdevFile();

        void detach();

        FakeDevice *device;
        std::shared_ptr<Context> context; // if bound
        std::uint32_t ioas = 0;           // if attached
    };
    struct File { // one of the three
        std::shared_ptr<Context> iommu;
        std::shared_ptr<CdevFile> cdev;
        std::uint64_t hugepage = 0; // or a file of hugepages, of this size
        std::uint64_t length = 0;
    };
    struct Mapping {
        std::size_t length;
        std::shared_ptr<CdevFile> cdev; // nullptr: of hugepages, addresses without memory
    };

    void arm(int n, int first, int rest);
    File *find(int fd, const char *name);
    int add(File file);
    std::uint64_t pinned() const;
    ssize_t config_range(int fd, const char *name, std::size_t length, off_t offset,
                         CdevFile **file, std::size_t *start);

    int ioas_alloc(Context &context, uapi::ioas_alloc *arg);
    int ioas_map(Context &context, const uapi::ioas_map *arg);
    int ioas_map_file(Context &context, const uapi::ioas_map_file *arg);
    int option(Context &context, const uapi::option *arg);
    int ioas_unmap(Context &context, uapi::ioas_unmap *arg);
    int ioas_get_pa(Context &context, uapi::ioas_noiommu_get_pa *arg);
    int iommu_ioctl(Context &context, unsigned long request, void *arg);
    int bind(CdevFile &file, const uapi::device_bind_iommufd *arg);
    int attach(CdevFile &file, const uapi::device_attach_iommufd_pt *arg);
    int detach(CdevFile &file, const uapi::device_detach_iommufd_pt *arg);
    static int region_info(const CdevFile &file, uapi::region_info *arg);
    int cdev_ioctl(CdevFile &file, unsigned long request, void *arg);

    std::map<int, File> fds_;
    std::map<void *, Mapping> mappings_;
    std::vector<std::weak_ptr<Context>> contexts_;
    std::vector<std::weak_ptr<CdevFile>> cdevs_;
    int next_fd_ = 1000;
    int counter_ = 0;
    int fail_at_ = 0;
    int first_error_ = 0;
    int rest_error_ = 0;
    int failed_ = 0;
    std::map<std::string, int> named_;
};

} // namespace iommufd::test
