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

std::uint32_t Hw::nvm_words() const {
    const std::uint32_t doubled = 6 + (regs_.read(reg::EECD) >> eecd::SIZE_SHIFT & eecd::SIZE_MASK);

    return 1u << (doubled > 15 ? 15 : doubled);
}

// As DPDK 22.11.11, base/e1000_nvm.c, e1000_get_fw_version() for the 82576. A word that holds a
// decimal number has a 0 above it.
Result<ImageVersion> Hw::image_version() {
    const std::uint16_t high = TRY(read_nvm(nvm::ETRACK_HIGH_WORD));
    const std::uint16_t version = TRY(read_nvm(nvm::VERSION_WORD));
    const auto major = static_cast<std::uint8_t>(version >> 12);
    const auto middle = static_cast<std::uint8_t>(version >> 4);

    if ((high & 0xF000) == 0x8000) {
        const unsigned int minor = version & 0x0F00 ? middle : version & 0xFF;
        const std::uint16_t low = TRY(read_nvm(nvm::ETRACK_WORD));
        return ImageVersion{.major = major,
                            .minor = static_cast<std::uint8_t>(minor / 16 * 10 + minor % 16),
                            .build = 0,
                            .etrack = std::uint32_t{high} << 16 | low};
    }
    ImageVersion old{.major = major,
                     .minor = middle,
                     .build = static_cast<std::uint8_t>(version & 0xF),
                     .etrack = 0};
    if (!(high & 0x8000)) // the other way round
        old.etrack = std::uint32_t{TRY(read_nvm(nvm::ETRACK_WORD))} << 16 | high;
    return old;
}

std::uint32_t Hw::led_control() const {
    return regs_.read(reg::LEDCTL);
}

// Word 4 of the EEPROM has four bits for each LED, first and second mode of three: 1 + 3 * first +
// second, where 0 is normal, 1 on and 2 off (DPDK 22.11.11, e1000_id_led_init_generic(),
// e1000_led_on_generic(): on is the second mode). Without it LED 3 is meant, and LED 2 stays off.
Result<> Hw::set_led(std::uint32_t normal, bool on) {
    constexpr std::uint16_t without = 0x8911;
    const std::uint16_t word = TRY(read_nvm(nvm::LED_WORD));
    const std::uint16_t modes = word == 0 || word == 0xFFFF ? without : word;
    std::uint32_t value = normal;

    for (unsigned int led = 0; led < 4; led++) {
        const unsigned int entry = modes >> 4 * led & 0xF;
        if (entry < 1 || entry > 9)
            continue;
        const unsigned int mode = on ? (entry - 1) % 3 : (entry - 1) / 3;
        if (mode == 0)
            continue;
        value &= ~(ledctl::MODE_MASK << 8 * led);
        value |= (mode == 1 ? ledctl::MODE_ON : ledctl::MODE_OFF) << 8 * led;
    }
    regs_.write(reg::LEDCTL, value);
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
