// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// The registers of a dump, in the order that stock has them in, so that what reads one reads the
// other: DPDK 22.11.11, drivers/net/e1000/igb_regs.h, offsets of its base/e1000_regs.h. To read
// them changes nothing, but for IAC, a statistic that clears (interrupt_assert_count).

#include <array>
#include <cstdint>

#include "hw/igb_regs.hpp"

namespace igb {

struct DumpRange {
    std::uint32_t offset;
    std::uint16_t count = 1;
    std::uint16_t stride = 4; // bytes
};

inline constexpr auto dump_ranges = std::to_array<DumpRange>({
    // general
    {reg::CTRL},
    {reg::STATUS},
    {reg::CTRL_EXT},
    {reg::MDIC},
    {0x00024}, // SCTL
    {0x00034}, // CONNSW
    {reg::VET},
    {reg::LEDCTL},
    {0x01000}, // PBA
    {0x01008}, // PBS
    {0x01048}, // FRTIMER
    {0x0104C}, // TCPTIMER
    // NVM
    {reg::EECD},
    // interrupts
    {0x01520}, // EICS
    {0x01524}, // EIMS
    {reg::EIMC},
    {reg::EIAC},
    {0x01530}, // EIAM
    {0x000C8}, // ICS
    {0x000D0}, // IMS
    {reg::IMC},
    {0x04100},                        // IAC
    {0x000E0},                        // IAM
    {0x05AC0},                        // IMIRVP
    {.offset = 0x01680, .count = 10}, // EITR
    {.offset = 0x05A80, .count = 8},  // IMIR
    {.offset = 0x05AA0, .count = 8},  // IMIREXT
    // flow control
    {reg::FCAL},
    {reg::FCAH},
    {reg::FCTTV},
    {reg::FCRTL},
    {reg::FCRTH},
    {0x02460}, // FCRTV
    // receive queues 0 to 3
    {.offset = reg::RDBAL(0), .count = 4, .stride = 0x100},
    {.offset = reg::RDBAH(0), .count = 4, .stride = 0x100},
    {.offset = reg::RDLEN(0), .count = 4, .stride = 0x100},
    {.offset = reg::RDH(0), .count = 4, .stride = 0x100},
    {.offset = reg::RDT(0), .count = 4, .stride = 0x100},
    {.offset = 0x02814, .count = 4, .stride = 0x100}, // RXCTL
    {.offset = reg::SRRCTL(0), .count = 4, .stride = 0x100},
    {.offset = 0x02814, .count = 4, .stride = 0x100}, // DCA_RXCTRL, the same
    // receive
    {reg::RCTL},
    {reg::RXCSUM},
    {reg::RLPML},
    {0x05008}, // RFCTL
    {reg::MRQC},
    {0x0581C}, // VT_CTL
    {.offset = reg::RAL0, .count = 16, .stride = 8},
    {.offset = reg::RAH0, .count = 16, .stride = 8},
    // transmit
    {reg::TCTL},
    {0x00404}, // TCTL_EXT
    {0x00410}, // TIPG
    {0x03590}, // DTXCTL
    {.offset = reg::TDBAL(0), .count = 4, .stride = 0x100},
    {.offset = reg::TDBAH(0), .count = 4, .stride = 0x100},
    {.offset = reg::TDLEN(0), .count = 4, .stride = 0x100},
    {.offset = reg::TDH(0), .count = 4, .stride = 0x100},
    {.offset = reg::TDT(0), .count = 4, .stride = 0x100},
    {.offset = reg::TXDCTL(0), .count = 4, .stride = 0x100},
    {.offset = reg::TDWBAL(0), .count = 4, .stride = 0x100},
    {.offset = reg::TDWBAH(0), .count = 4, .stride = 0x100},
    {.offset = 0x03814, .count = 4, .stride = 0x100}, // DCA_TXCTRL
    {0x03410},                                        // TDFH
    {0x03418},                                        // TDFT
    {0x03420},                                        // TDFHS
    {0x03430},                                        // TDFPC
    // wake-up
    {0x05800},                                    // WUC
    {0x05808},                                    // WUFC
    {0x05810},                                    // WUS
    {0x05838},                                    // IPAV
    {0x05900},                                    // WUPL
    {.offset = 0x05840, .count = 4, .stride = 8}, // IP4AT
    {.offset = 0x05880, .count = 4},              // IP6AT
    {.offset = 0x05A00, .count = 4},              // WUPM
    {.offset = 0x09000, .count = 4, .stride = 8}, // FFMT
    {.offset = 0x09800, .count = 4, .stride = 8}, // FFVT
    {.offset = 0x05F00, .count = 4, .stride = 8}, // FFLT
    // PCS
    {0x04200}, // PCS_CFG0
    {0x04208}, // PCS_LCTL
    {0x0420C}, // PCS_LSTAT
    {0x04218}, // PCS_ANADV
    {0x0421C}, // PCS_LPAB
    {0x04220}, // PCS_NPTX
    {0x04224}, // PCS_LPABNP
});

consteval std::size_t count_dump_registers() {
    std::size_t count = 0;

    for (const DumpRange &range : dump_ranges)
        count += range.count;
    return count;
}

inline constexpr std::size_t dump_registers = count_dump_registers();

} // namespace igb
