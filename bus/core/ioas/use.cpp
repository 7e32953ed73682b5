// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "core/ioas/use.hpp"

#include <algorithm>
#include <iterator>
#include <new>
#include <utility>

namespace iommufd {

ReaderQuery::ReaderQuery(std::vector<DmaRange> area, std::size_t capacity)
    : area_(std::move(area)) {
    ranges_.reserve(capacity);
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

bool ReaderQuery::reads(const InFlight &queue) {
    ranges_.clear();
    queue.ranges(&ranges_);
    return std::any_of(ranges_.begin(), ranges_.end(),
                       [this](const DmaRange &range) { return is_in_area(range); });
}

bool ReaderQuery::is_in_area(const DmaRange &range) const {
    const auto next =
        std::upper_bound(area_.begin(), area_.end(), range.start,
                         [](Dma start, const DmaRange &run) { return start < run.start; });
    return (next != area_.end() && next->overlaps(range)) ||
           (next != area_.begin() && std::prev(next)->overlaps(range));
}

Result<void> Use::hold(Va va, std::uint64_t length, HeldBy by, std::vector<AreaKey> *held) {
    std::vector<Areas::Iterator> found = TRY(areas_.covering(va, length));
    std::erase_if(found, [&](const auto &area) {
        return std::find(held->begin(), held->end(), Areas::key_of(area)) != held->end();
    });
    held->reserve(held->size() + found.size());
    for (const auto &area : found) {
        held->push_back(Areas::key_of(area));
        ++area->second.holders(by);
    }
    return {};
}

Areas::Iterator Use::end_hold(AreaKey key, HeldBy by) {
    const auto area = areas_.find(key);
    if (area == areas_.end())
        return area;
    --area->second.holders(by);
    return area->second.retired && !area->second.is_used() ? area : areas_.end();
}

std::vector<AreaKey> Use::unregister_queue(const InFlight *queue) {
    const auto found = std::find_if(queues_.begin(), queues_.end(),
                                    [=](const Queue &each) { return each.in_flight == queue; });
    if (found == queues_.end())
        return {};
    std::vector<AreaKey> areas = std::move(found->reads);
    queues_.erase(found);
    return areas;
}

ReaderQuery Use::query(std::vector<DmaRange> area) const {
    std::size_t capacity = 0;
    for (const Queue &each : queues_)
        capacity = std::max(capacity, each.in_flight->capacity());
    return {std::move(area), capacity};
}

std::size_t Use::readers(ReaderQuery *query) const {
    return static_cast<std::size_t>(
        std::count_if(queues_.begin(), queues_.end(),
                      [=](const Queue &each) { return query->reads(*each.in_flight); }));
}

std::size_t Use::possible_readers(ReaderQuery *query) const {
    return static_cast<std::size_t>(
        std::count_if(queues_.begin(), queues_.end(),
                      [=](const Queue &each) { return query->may_still_read(*each.in_flight); }));
}

void Use::retire(Areas::Iterator area, Backing backing) {
    area->second.retired = true;
    area->second.backing = backing;
    ++retired_;
}

bool Use::add_readers(Areas::Iterator area) {
    try {
        ReaderQuery asked = query(area->second.ranges);
        for (Queue &each : queues_)
            each.reads.reserve(each.reads.size() + 1);
        for (Queue &each : queues_) {
            if (!asked.may_still_read(*each.in_flight))
                continue;
            each.reads.push_back(Areas::key_of(area));
            ++area->second.queues;
        }
        return true;
    } catch (const std::bad_alloc &) {
        return false;
    }
}

void Use::remove_readers(Areas::Iterator area) {
    for (Queue &each : queues_)
        area->second.queues -=
            static_cast<unsigned int>(std::erase(each.reads, Areas::key_of(area)));
}

void Use::clear() {
    queues_.clear();
    retired_ = 0;
}

} // namespace iommufd
