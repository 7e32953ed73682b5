// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Pages that somebody asked the physical address of and that EAL does not manage: an anonymous
// pool, the guest memory of vhost, a huge page of --legacy-mem before it has its final place.
//
// Nobody tells when such memory goes, and another page may come to the same address. So every
// question pins anew, at an IOVA of its own, and compares: if the address is still the same, the
// new pin is released; if not, the old one is, which held memory that nobody can name any more.
//
//     IOVA = 2^62 + process * 2^40 + slot * 4 KiB     never the VA of anything
//
// Where a broker has to be asked for each address (Kernel::pa_batch()), who asks for one page after
// another is answered ahead: pages that follow are pinned, and asked about in one message, twice as
// many each time. An answer given ahead counts for the next question alone, if it comes within a
// second and is about just that page; what is left over is unpinned with whatever is called next.
//
// A pin of 4 KiB in a hugepage holds the whole hugepage. Not thread-safe.

#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <vector>

#include "core/ioas/address.hpp"
#include "core/sys/kernel.hpp"
#include "core/sys/result.hpp"

namespace iommufd::preload {

class PagePins {
public:
    // Nanoseconds of a clock that only goes forward.
    using Clock = std::uint64_t (*)();
    static std::uint64_t steady_clock();

    explicit PagePins(Kernel &kernel, Clock now = steady_clock) : kernel_(kernel), now_(now) {}

    // What the pins are made in. process tells several that share an IOAS apart; two may have the
    // same number.
    void use(int iommufd, std::uint32_t ioas, std::uint32_t process);

    // The physical address of the byte at va, whose page stays pinned.
    Result<std::uint64_t> pin(Va va);
    // The same, and the page is pinned only meanwhile.
    Result<std::uint64_t> probe(Va va);
    // Unpin what lies in [va, va + length).
    void release(Va va, std::uint64_t length);
    // The memory goes by what unmap does, 0 if it has: unpinned then. Its answer.
    using Unmap = int (*)(void *memory, std::size_t length);
    int unmap_and_release(void *memory, std::size_t length, Unmap unmap);
    // Unpin what is no longer the page at its address.
    void sweep();
    void release_all() { release(Va{0}, UINT64_MAX); }
    // Leave all pins to the end of the IOAS.
    void abandon() {
        pins_.clear();
        ahead_.clear();
    }

    // [address, bytes] of pages that follow each other.
    [[nodiscard]] std::map<std::uint64_t, std::uint64_t> ranges() const;
    // Pages that are pinned.
    [[nodiscard]] std::size_t count() const { return pins_.size() + ahead_.size(); }

private:
    struct Pin {
        std::uint64_t iova;
        std::uint64_t pa;
    };

    void start_at(std::uint64_t process);
    int map_apart(std::uint64_t page, std::uint64_t *iova);
    Result<std::uint64_t> map(std::uint64_t page);
    std::vector<Result<Pin>> make(std::span<const std::uint64_t> pages);
    Result<Pin> make_following(std::uint64_t page);
    void unmake(const Pin &pin);
    void drop_ahead();

    Kernel &kernel_;
    Clock now_;
    int iommufd_ = -1;
    std::uint32_t ioas_ = 0;
    std::uint64_t process_ = 0; // where this one pins
    std::uint64_t next_ = 0;    // bytes behind that
    std::vector<std::uint64_t> free_;
    std::map<std::uint64_t, Pin> pins_; // by page
    std::uint64_t expected_ = 0;        // the page after the one that was asked for last
    std::size_t in_a_row_ = 1;          // pages to ask about at once, if that is the next one
    std::deque<Pin> ahead_;             // of the pages from expected_ on
    std::uint64_t ahead_until_ = 0;     // of the clock
};

} // namespace iommufd::preload
