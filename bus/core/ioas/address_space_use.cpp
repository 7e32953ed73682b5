// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Who uses an area, and how one is let go.

#include "core/ioas/address_space.hpp"

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "core/ioas/range_text.hpp"
#include "core/ioas/stopwatch.hpp"

namespace iommufd {

// Which queues have something of an area in flight. All memory it needs is taken at first, so
// that nothing fails once the table has forgotten the area.
class AddressSpace::Reading {
public:
    Reading(const std::vector<Watched> &queues, std::vector<DmaRange> area)
        : area_(std::move(area)) {
        std::size_t most = 0;
        for (const Watched &each : queues)
            most = std::max(most, each.queue->capacity());
        ranges_.reserve(most);
        // In ascending order, without what a page that is shown twice would make overlap.
        std::sort(area_.begin(), area_.end(),
                  [](const DmaRange &a, const DmaRange &b) { return a.start < b.start; });
        std::size_t last = 0;
        for (std::size_t i = 1; i < area_.size(); ++i) {
            const std::uint64_t end = raw(area_[last].start) + area_[last].length;
            if (raw(area_[i].start) <= end)
                area_[last].length =
                    std::max(end, raw(area_[i].start) + area_[i].length) - raw(area_[last].start);
            else
                area_[++last] = area_[i];
        }
        area_.resize(std::min(area_.size(), last + 1));
    }

    bool reads(const InFlight &queue) {
        ranges_.clear();
        queue.ranges(&ranges_);
        return std::any_of(ranges_.begin(), ranges_.end(),
                           [this](const DmaRange &range) { return is_in_area(range); });
    }
    // The same when the table has forgotten the area. Whom nothing certain is known of may read.
    bool may_still_read(const InFlight &queue) { return !queue.wait_for_lookups() || reads(queue); }

private:
    [[nodiscard]] bool is_in_area(const DmaRange &range) const {
        const auto next =
            std::upper_bound(area_.begin(), area_.end(), range.start,
                             [](Dma start, const DmaRange &run) { return start < run.start; });
        return (next != area_.end() && next->overlaps(range)) ||
               (next != area_.begin() && std::prev(next)->overlaps(range));
    }

    std::vector<DmaRange> area_;
    std::vector<DmaRange> ranges_; // of one queue
};

std::vector<AddressSpace::Run> AddressSpace::runs_of(Va va, const Area &area) const {
    std::vector<Run> runs;
    for (std::uint64_t done = 0; done < area.length; done += area.page) {
        const auto dma = table_.lookup(va + done);
        if (!dma)
            continue;
        if (!runs.empty() && runs.back().dma.start + runs.back().dma.length == *dma &&
            runs.back().va + runs.back().dma.length == va + done)
            runs.back().dma.length += area.page;
        else
            runs.push_back({.va = va + done, .dma = {.start = *dma, .length = area.page}});
    }
    return runs;
}

namespace {

template <class Runs>
std::vector<DmaRange> ranges_of(const Runs &runs) {
    std::vector<DmaRange> ranges;
    ranges.reserve(runs.size());
    for (const auto &run : runs)
        ranges.push_back(run.dma);
    return ranges;
}

} // namespace

int AddressSpace::unmap_ioctl(std::uint64_t va, std::uint64_t length) {
    const Stopwatch time(&done_.unmap_ns);
    ++done_.unmap_calls;
    return ioas_unmap(kernel_, iommufd_.get(), ioas_, va, length);
}

Result<void> AddressSpace::unmap_area(Areas::iterator area) {
    const Va va{area->first};
    const std::uint64_t length = area->second.length;
    // First nobody finds it any more, then it may move.
    table_.erase(va, length);
    const int ret = unmap_ioctl(raw(va), length);
    if (ret < 0) {
        auto failed = failure(ret, range_text("IOMMU_IOAS_UNMAP", va, length));
        if (!area->second.retired)
            if (auto again = resolve(va, area->second); !again)
                failed.value().remedy = "and no longer resolved: " + again.error().message();
        return failed;
    }
    bytes_ -= length;
    retired_ -= area->second.retired ? 1 : 0;
    areas_.erase(area);
    return {};
}

Result<AddressSpace::Areas::iterator> AddressSpace::find_area(Va va, std::uint64_t length,
                                                              const char *what) {
    if (length == 0)
        return failure(-EINVAL, range_text(what, va, length), "the range is empty");
    const auto area = areas_.find(raw(va));
    if (area == areas_.end() || area->second.length != length || area->second.retired)
        return failure(-ENOENT, range_text(what, va, length), not_an_area(va, length));
    return area;
}

namespace {

std::string counted(std::uint64_t count, const char *one, const char *several) {
    return std::to_string(count) + (count == 1 ? one : several);
}

} // namespace

Result<void> AddressSpace::unmap(Va va, std::uint64_t length) {
    const auto busy = [=](const std::string &why) {
        return failure(-EBUSY, range_text("unmapping", va, length), why);
    };
    const auto in_flight = [&](auto queues) {
        return busy(
            "packets in it are in flight in " +
            counted(static_cast<std::uint64_t>(queues), " transmit queue", " transmit queues") +
            "; wait until they are completed, or stop the port");
    };

    const std::lock_guard lock(mutex_);
    const auto found = find_area(va, length, "unmapping");
    if (!found)
        return tl::make_unexpected(found.error());
    const Area &area = (*found)->second;
    if (area.queues != 0)
        return busy("a device may still write to it: " +
                    counted(area.queues, " queue uses", " queues use") +
                    " it; stop the port and release its queues first");
    if (area.pools != 0)
        return busy("objects of " + counted(area.pools, " pool", " pools") +
                    " carry its addresses; free what was made of it first");
    if (watched_.empty())
        return unmap_area(*found);

    const auto runs = runs_of(va, area);
    Reading reading(watched_, ranges_of(runs));
    const auto readers = [&](auto &&is_reader) {
        return std::count_if(watched_.begin(), watched_.end(), is_reader);
    };
    // Once before anything is changed: a request that is refused is to disturb nobody.
    if (const auto n = readers([&](const Watched &each) { return reading.reads(*each.queue); }))
        return in_flight(n);
    table_.erase(va, length);
    if (const auto n =
            readers([&](const Watched &each) { return reading.may_still_read(*each.queue); })) {
        for (const Run &run : runs)
            (void)table_.insert(run.va, run.dma.start, run.dma.length); // its directories are there
        return in_flight(n);
    }
    return unmap_area(*found);
}

Result<bool> AddressSpace::retire(Va va, std::uint64_t length, Objects objects) {
    const std::lock_guard lock(mutex_);
    const auto found = find_area(va, length, "unmapping");
    if (!found)
        return tl::make_unexpected(found.error());
    Area &area = (*found)->second;
    area.objects = objects;
    bool knows_ranges = true;
    try {
        if (!watched_.empty() || area.is_used())
            area.ranges = ranges_of(runs_of(va, area));
    } catch (const std::bad_alloc &) {
        knows_ranges = false;
    }
    table_.erase(va, length);
    area.retired = true;
    ++retired_;
    if (!knows_ranges || !hand_to_readers(*found)) {
        ++area.queues; // for good, as nobody knows which
        return failure(-ENOMEM, range_text("unmapping", va, length),
                       "no memory to ask who still uses it; it stays pinned");
    }
    if (area.is_used())
        return true;
    if (auto ok = unmap_area(*found); !ok)
        return tl::make_unexpected(ok.error());
    return false;
}

// A retired area is held by the queues whose devices may still read it. False, without memory for
// that: then it must not be unpinned.
bool AddressSpace::hand_to_readers(Areas::iterator area) {
    try {
        Reading reading(watched_, area->second.ranges);
        for (Watched &each : watched_)
            each.hold.areas_.reserve(each.hold.areas_.size() + 1);
        for (Watched &each : watched_) {
            if (!reading.may_still_read(*each.queue))
                continue;
            each.hold.areas_.emplace_back(area->first, area->second.id);
            ++area->second.queues;
        }
        return true;
    } catch (const std::bad_alloc &) {
        return false;
    }
}

// Unpin a retired area that nobody holds any more, unless packets in it are in flight: what had
// objects in it may have sent them since.
void AddressSpace::let_go(Areas::iterator area) {
    if (!hand_to_readers(area))
        ++area->second.queues; // for good
    if (area->second.is_used())
        return;
    try {
        (void)unmap_area(area); // if it fails it stays pinned until the IOAS ends
    } catch (const std::bad_alloc &) {
        // It has failed, and there is no memory to say why.
    }
}

// Of retired areas: packets that were in flight then may have been sent. Their owners map new
// memory at the same place.
void AddressSpace::ask_again() {
    for (auto next = areas_.begin(); retired_ != 0 && next != areas_.end();) {
        const auto area = next++;
        if (!area->second.retired)
            continue;
        for (Watched &each : watched_)
            area->second.queues -= static_cast<unsigned int>(
                std::erase(each.hold.areas_, std::pair{area->first, area->second.id}));
        let_go(area);
    }
}

Result<void> AddressSpace::hold(Va va, std::uint64_t length, Hold *hold) {
    const std::lock_guard lock(mutex_);
    const std::uint64_t end = raw(va) + length;
    std::vector<Areas::iterator> found;
    for (std::uint64_t at = raw(va); at < end;) {
        auto area = areas_.upper_bound(at);
        if (area == areas_.begin() ||
            std::prev(area)->first + std::prev(area)->second.length <= at ||
            std::prev(area)->second.retired)
            return failure(-EFAULT, range_text("use", va, length),
                           "part of it is not in the address space");
        --area;
        found.push_back(area);
        at = area->first + area->second.length;
    }
    std::erase_if(found, [&](const auto &area) {
        const std::pair<std::uint64_t, std::uint64_t> key{area->first, area->second.id};
        return std::find(hold->areas_.begin(), hold->areas_.end(), key) != hold->areas_.end();
    });
    hold->areas_.reserve(hold->areas_.size() + found.size());
    for (const auto &area : found) {
        hold->areas_.emplace_back(area->first, area->second.id);
        ++area->second.holders(hold->by_);
    }
    return {};
}

void AddressSpace::release_locked(Hold *hold) {
    for (const auto &[start, id] : hold->areas_) {
        const auto area = areas_.find(start);
        if (area == areas_.end() || area->second.id != id)
            continue;
        --area->second.holders(hold->by_);
        if (area->second.retired && !area->second.is_used())
            let_go(area);
    }
    hold->areas_.clear();
}

void AddressSpace::release(Hold *hold) {
    const std::lock_guard lock(mutex_);
    release_locked(hold);
}

void AddressSpace::watch(const InFlight *queue) {
    const std::lock_guard lock(mutex_);
    watched_.push_back({.queue = queue, .hold = Hold()});
}

void AddressSpace::unwatch(const InFlight *queue) {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(watched_.begin(), watched_.end(),
                                    [=](const Watched &each) { return each.queue == queue; });
    if (found == watched_.end())
        return;
    Hold hold = std::move(found->hold);
    watched_.erase(found);
    release_locked(&hold);
}

} // namespace iommufd
