// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// EEPROM and PHY of the 82576, and the semaphores that keep firmware out meanwhile.
//
// Order of the semaphores as Linux 7.3: igb_get_hw_semaphore() in e1000_mac.c and
// igb_acquire_swfw_sync_82575() in e1000_82575.c.

#include "hw/igb_hw.hpp"

#include <cerrno>

namespace igb {

// Holds a resource that firmware may use too.
class SwFwLock {
public:
    SwFwLock(Hw &hw, std::uint32_t resource)
        : hw_(hw), resource_(resource), status_(hw.lock_sw_fw(resource)) {}
    ~SwFwLock() {
        if (status_)
            hw_.unlock_sw_fw(resource_);
    }
    SwFwLock(const SwFwLock &) = delete;
    SwFwLock &operator=(const SwFwLock &) = delete;

    [[nodiscard]] const Result<> &status() const { return status_; }

private:
    Hw &hw_;
    std::uint32_t resource_;
    Result<> status_;
};

Result<> Hw::take_semaphore() {
    // Reading SMBI as 0 sets it: the reader owns it.
    if (!wait(reg::SWSM, swsm::SMBI, 0, semaphore_deadline_us, 50))
        return failure(EBUSY, "taking the driver semaphore (SWSM.SMBI)");

    const std::uint64_t end = regs_.now_us() + semaphore_deadline_us;
    for (;;) {
        const bool late = regs_.now_us() >= end;

        set_bits(reg::SWSM, 0, swsm::SWESMBI);
        if (regs_.read(reg::SWSM) & swsm::SWESMBI)
            return {};
        if (late)
            break;
        regs_.sleep_us(50);
    }
    release_semaphore();
    return failure(EBUSY, "taking the firmware semaphore (SWSM.SWESMBI)");
}

void Hw::release_semaphore() {
    set_bits(reg::SWSM, swsm::SMBI | swsm::SWESMBI, 0);
}

Result<> Hw::lock_sw_fw(std::uint32_t resource) {
    const std::uint32_t owners = resource | resource << sw_fw::FW_SHIFT;
    const std::uint64_t end = regs_.now_us() + semaphore_deadline_us;

    for (;;) {
        const bool late = regs_.now_us() >= end;

        TRY(take_semaphore());
        const std::uint32_t sync = regs_.read(reg::SW_FW_SYNC);
        if (!(sync & owners)) {
            regs_.write(reg::SW_FW_SYNC, sync | resource);
            release_semaphore();
            return {};
        }
        release_semaphore();
        if (late)
            return failure(EBUSY, "waiting for firmware or another driver (SW_FW_SYNC)");
        regs_.sleep_us(5'000);
    }
}

void Hw::unlock_sw_fw(std::uint32_t resource) {
    // Without the semaphore the bit is cleared all the same: keeping it locks us out too.
    const bool owner = take_semaphore().has_value();

    set_bits(reg::SW_FW_SYNC, resource, 0);
    if (owner)
        release_semaphore();
}

// Each function of the chip has its PHY (Linux, igb_acquire_phy_82575).
std::uint32_t Hw::phy_resource() const {
    const bool second = (regs_.read(reg::STATUS) & status::FUNCTION_MASK) == status::FUNCTION_1;

    return second ? sw_fw::PHY1 : sw_fw::PHY0;
}

// As DPDK 22.11.11, igb_ethdev.c, igb_reset_swfw_lock(): the EEPROM is every port's, but nobody
// holds it for as long as it is waited for here. What firmware holds stays firmware's.
Hw::StaleLocks Hw::break_stale_locks() {
    StaleLocks stale;

    stale.semaphore = !take_semaphore();
    release_semaphore();
    for (const std::uint32_t resource : {phy_resource(), sw_fw::EEPROM}) {
        if (!lock_sw_fw(resource) && (regs_.read(reg::SW_FW_SYNC) & resource) != 0)
            stale.resources |= resource;
        unlock_sw_fw(resource);
    }
    return stale;
}

// SDM p. 44: address and START in one write, poll DONE, data above.
Result<std::uint16_t> Hw::read_nvm_unlocked(std::uint16_t word) {
    regs_.write(reg::EERD, std::uint32_t{word} << eerd::ADDR_SHIFT | eerd::START);
    if (!wait(reg::EERD, eerd::DONE, eerd::DONE, nvm_word_deadline_us, 5))
        return failure(ETIMEDOUT, "reading the EEPROM (EERD.DONE)");
    return static_cast<std::uint16_t>(regs_.read(reg::EERD) >> eerd::DATA_SHIFT);
}

Result<std::uint16_t> Hw::read_nvm(std::uint16_t word) {
    const SwFwLock lock(*this, sw_fw::EEPROM);

    TRY(lock.status());
    return read_nvm_unlocked(word);
}

// SDM 4.5.1.29.14: words 0 to 3Fh add up to BABAh, carries ignored.
Result<> Hw::check_nvm() {
    const SwFwLock lock(*this, sw_fw::EEPROM);
    std::uint16_t sum = 0;

    TRY(lock.status());
    for (std::uint16_t word = 0; word <= nvm::CHECKSUM_WORD; word++)
        sum = static_cast<std::uint16_t>(sum + TRY(read_nvm_unlocked(word)));
    if (sum != nvm::CHECKSUM)
        return failure(EBADMSG, "checking the EEPROM: its checksum is wrong");
    return {};
}

Result<std::uint32_t> Hw::mdic(std::uint32_t command) {
    const SwFwLock lock(*this, phy_resource());

    TRY(lock.status());
    regs_.write(reg::MDIC, command | mdic::PHY_ADDRESS << mdic::PHY_SHIFT);
    if (!wait(reg::MDIC, mdic::READY, mdic::READY, mdic_deadline_us, 50))
        return failure(ETIMEDOUT, "accessing the PHY (MDIC.READY)");
    const std::uint32_t result = regs_.read(reg::MDIC);
    if (result & mdic::ERROR)
        return failure(EIO, "accessing the PHY (MDIC.ERROR)");
    return result;
}

Result<std::uint16_t> Hw::read_phy(std::uint8_t address) {
    const std::uint32_t result =
        TRY(mdic(mdic::OP_READ | std::uint32_t{address} << mdic::REG_SHIFT));

    return static_cast<std::uint16_t>(result & mdic::DATA_MASK);
}

Result<> Hw::write_phy(std::uint8_t address, std::uint16_t value) {
    TRY(mdic(mdic::OP_WRITE | std::uint32_t{address} << mdic::REG_SHIFT | value));
    return {};
}

Result<std::uint32_t> Hw::phy_id() {
    const std::uint16_t high = TRY(read_phy(phy::ID1));
    const std::uint16_t low = TRY(read_phy(phy::ID2));
    const std::uint32_t id = std::uint32_t{high} << 16 | low;

    if (id == 0 || id == 0xFFFFFFFF)
        return failure(ENODEV, "identifying the PHY: none answers");
    return id;
}

} // namespace igb
