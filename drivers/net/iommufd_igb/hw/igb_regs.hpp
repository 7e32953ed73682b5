// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Registers of the Intel 82576 that the driver uses: byte offsets into BAR 0, and bits.
//
// Sources, each checked in the text or file itself:
//
//   SDM    Intel 82575EB Gigabit Ethernet Controller Software Developer's Manual and EEPROM
//          Guide, 324632-003, revision 2.1 (the 82576 is register compatible where cited)
//   Linux  drivers/net/ethernet/intel/igb/ of Linux 7.3, e1000_regs.h and e1000_defines.h
//   QEMU   hw/net/igb_core.c at commit 00f76608a68d
//
// Offsets and bits without a note agree in Linux, in DPDK 22.11.11 (drivers/net/e1000/base)
// and in QEMU.

#include <cstdint>

namespace igb {

// Receive and transmit queues of one 82576 port (QEMU: IGB_NUM_QUEUES rings each way).
inline constexpr std::uint16_t max_queues = 16;

// Receive addresses of the 82576 (DPDK 22.11.11, e1000_82575.h, E1000_RAR_ENTRIES_82576), and words
// of each of VFTA, MTA and UTA.
inline constexpr std::uint16_t nb_receive_addresses = 24;
inline constexpr std::uint32_t table_words = 128;

// The part of BAR 0 that holds registers (QEMU masks addresses with 0x1ffff).
inline constexpr std::uint32_t register_space = 0x20000;

// What a read returns from a device that is gone: no completion, all ones.
inline constexpr std::uint32_t no_device = 0xFFFFFFFF;

// Longest frame with its CRC, in bytes: what RLPML takes (Linux 7.3, igb/e1000_defines.h,
// MAX_JUMBO_FRAME_SIZE).
inline constexpr std::uint16_t max_frame_length = 0x2600;

// Bytes of a receive or transmit descriptor.
inline constexpr std::uint32_t desc_size = 16;

namespace reg {

inline constexpr std::uint32_t CTRL = 0x00000;
inline constexpr std::uint32_t STATUS = 0x00008;
inline constexpr std::uint32_t EECD = 0x00010;
inline constexpr std::uint32_t EERD = 0x00014; // SDM p. 44
inline constexpr std::uint32_t CTRL_EXT = 0x00018;
inline constexpr std::uint32_t MDIC = 0x00020;
inline constexpr std::uint32_t FCAL = 0x00028;
inline constexpr std::uint32_t FCAH = 0x0002C;
inline constexpr std::uint32_t FCT = 0x00030;
inline constexpr std::uint32_t VET = 0x00038;
inline constexpr std::uint32_t ICR = 0x000C0; // clears on read
inline constexpr std::uint32_t IMC = 0x000D8;
inline constexpr std::uint32_t RCTL = 0x00100;
inline constexpr std::uint32_t FCTTV = 0x00170;
inline constexpr std::uint32_t TCTL = 0x00400;
inline constexpr std::uint32_t LEDCTL = 0x00E00;
inline constexpr std::uint32_t EIMC = 0x01528;
inline constexpr std::uint32_t EIAC = 0x0152C;
inline constexpr std::uint32_t FCRTL = 0x02160;
inline constexpr std::uint32_t FCRTH = 0x02168;
inline constexpr std::uint32_t RXPBS = 0x02404; // packet buffer of the receiver, in KiB
inline constexpr std::uint32_t RXCSUM = 0x05000;
inline constexpr std::uint32_t RLPML = 0x05004;
inline constexpr std::uint32_t MTA = 0x05200;  // 128 words
inline constexpr std::uint32_t RAL0 = 0x05400; // SDM 2.3: least significant byte goes out first
inline constexpr std::uint32_t RAH0 = 0x05404;
inline constexpr std::uint32_t VFTA = 0x05600; // 128 words

// Receive address index, of nb_receive_addresses (DPDK 22.11.11, e1000_regs.h, E1000_RAL()).
constexpr std::uint32_t RAL(std::uint16_t index) {
    return index < 16 ? RAL0 + 8u * index : 0x054E0u + 8u * (index - 16u);
}
constexpr std::uint32_t RAH(std::uint16_t index) {
    return RAL(index) + 4;
}

// EtherType filter, of eight (DPDK 22.11.11, e1000_regs.h, E1000_ETQF()).
constexpr std::uint32_t ETQF(std::uint16_t index) {
    return 0x05CB0 + 4u * index;
}

inline constexpr std::uint32_t MRQC = 0x05818;
inline constexpr std::uint32_t SWSM = 0x05B50;
inline constexpr std::uint32_t SW_FW_SYNC = 0x05B5C;
inline constexpr std::uint32_t RETA = 0x05C00;    // 32 words of four entries
inline constexpr std::uint32_t RSSRK = 0x05C80;   // 10 words
inline constexpr std::uint32_t SYSTIML = 0x0B600; // the clock, high half above
inline constexpr std::uint32_t SYSTIMH = 0x0B604;
inline constexpr std::uint32_t TIMINCA = 0x0B608;
inline constexpr std::uint32_t TSYNCTXCTL = 0x0B614;
inline constexpr std::uint32_t TXSTMPL = 0x0B618; // reading the high half makes room for another
inline constexpr std::uint32_t TXSTMPH = 0x0B61C;
inline constexpr std::uint32_t TSYNCRXCTL = 0x0B620;
inline constexpr std::uint32_t RXSTMPL = 0x0B624; // the same
inline constexpr std::uint32_t RXSTMPH = 0x0B628;
inline constexpr std::uint32_t TSAUXC = 0x0B640;
inline constexpr std::uint32_t UTA = 0x0A000; // 128 words

// Statistics; all clear on read (SDM 14.9).
inline constexpr std::uint32_t CRCERRS = 0x04000;
inline constexpr std::uint32_t ALGNERRC = 0x04004;
inline constexpr std::uint32_t RXERRC = 0x0400C;
inline constexpr std::uint32_t MPC = 0x04010;
inline constexpr std::uint32_t ECOL = 0x04018;
inline constexpr std::uint32_t LATECOL = 0x04020;
inline constexpr std::uint32_t CEXTERR = 0x0403C;
inline constexpr std::uint32_t RLEC = 0x04040;
inline constexpr std::uint32_t GPRC = 0x04074;
inline constexpr std::uint32_t GPTC = 0x04080;
inline constexpr std::uint32_t GORCL = 0x04088;
inline constexpr std::uint32_t GORCH = 0x0408C; // reading it clears both halves (QEMU, DPDK)
inline constexpr std::uint32_t GOTCL = 0x04090;
inline constexpr std::uint32_t GOTCH = 0x04094; // the same
inline constexpr std::uint32_t ROC = 0x040AC;   // longer than RCTL.LPE and RLPML allow
inline constexpr std::uint32_t TPR = 0x040D0;   // more by name: igb_counters.hpp
inline constexpr std::uint32_t TPT = 0x040D4;

// Start of a receive queue's register block. The first four queues keep the addresses of
// the 82575, 0x100 apart; the other twelve are 0x40 apart (QEMU maps both forms of 0..3).
constexpr std::uint32_t rx_queue(std::uint16_t queue) {
    return queue < 4 ? 0x02800u + 0x100u * queue : 0x0C000u + 0x40u * queue;
}

// Start of a transmit queue's register block, laid out like the receive side's.
constexpr std::uint32_t tx_queue(std::uint16_t queue) {
    return queue < 4 ? 0x03800u + 0x100u * queue : 0x0E000u + 0x40u * queue;
}

constexpr std::uint32_t RDBAL(std::uint16_t q) {
    return rx_queue(q) + 0x00;
}
constexpr std::uint32_t RDBAH(std::uint16_t q) {
    return rx_queue(q) + 0x04;
}
constexpr std::uint32_t RDLEN(std::uint16_t q) {
    return rx_queue(q) + 0x08;
}
constexpr std::uint32_t SRRCTL(std::uint16_t q) {
    return rx_queue(q) + 0x0C;
}
constexpr std::uint32_t RDH(std::uint16_t q) {
    return rx_queue(q) + 0x10;
} // SDM 14.3.58
constexpr std::uint32_t RDT(std::uint16_t q) {
    return rx_queue(q) + 0x18;
} // SDM 14.3.59
constexpr std::uint32_t RXDCTL(std::uint16_t q) {
    return rx_queue(q) + 0x28;
}
constexpr std::uint32_t RQDPC(std::uint16_t q) {
    return rx_queue(q) + 0x30;
} // clears on read (QEMU)
constexpr std::uint32_t TDBAL(std::uint16_t q) {
    return tx_queue(q) + 0x00;
}
constexpr std::uint32_t TDBAH(std::uint16_t q) {
    return tx_queue(q) + 0x04;
}
constexpr std::uint32_t TDLEN(std::uint16_t q) {
    return tx_queue(q) + 0x08;
}
constexpr std::uint32_t TDH(std::uint16_t q) {
    return tx_queue(q) + 0x10;
}
constexpr std::uint32_t TDT(std::uint16_t q) {
    return tx_queue(q) + 0x18;
}
constexpr std::uint32_t TXDCTL(std::uint16_t q) {
    return tx_queue(q) + 0x28;
}
constexpr std::uint32_t TDWBAL(std::uint16_t q) {
    return tx_queue(q) + 0x38;
} // QEMU: head write-back
constexpr std::uint32_t TDWBAH(std::uint16_t q) {
    return tx_queue(q) + 0x3C;
}

} // namespace reg

namespace ctrl {
inline constexpr std::uint32_t FD = 1u << 0;
inline constexpr std::uint32_t GIO_MASTER_DISABLE = 1u << 2;
inline constexpr std::uint32_t SLU = 1u << 6;
inline constexpr std::uint32_t SPD_MASK = 3u << 8; // forced speed: 00b is 10 Mb/s
inline constexpr std::uint32_t SPD_100 = 1u << 8;
inline constexpr std::uint32_t FRCSPD = 1u << 11;
inline constexpr std::uint32_t FRCDPX = 1u << 12;
inline constexpr std::uint32_t RST = 1u << 26;  // clears itself
inline constexpr std::uint32_t RFCE = 1u << 27; // PAUSE frames from the other end hold us up
inline constexpr std::uint32_t TFCE = 1u << 28; // and are sent when the packet buffer fills
inline constexpr std::uint32_t VME = 1u << 30;  // strip VLAN tags
} // namespace ctrl

// DPDK 22.11.11, base/e1000_defines.h, and e1000_ethdev.h for EXTEND_VLAN.
namespace ctrl_ext {
inline constexpr std::uint32_t EXTEND_VLAN = 1u << 26; // every frame has an outer tag
} // namespace ctrl_ext

namespace vet {
inline constexpr std::uint32_t EXT_SHIFT = 16; // TPID of the outer tag, above that of the inner
inline constexpr std::uint32_t EXT_MASK = 0xFFFFu << EXT_SHIFT;
} // namespace vet

// The address and the type of PAUSE frames, 01:80:C2:00:00:01 and 8808h.
namespace flow_control {
inline constexpr std::uint32_t ADDRESS_LOW = 0x00C28001;
inline constexpr std::uint32_t ADDRESS_HIGH = 0x00000100;
inline constexpr std::uint32_t TYPE = 0x8808;
inline constexpr std::uint32_t FCRTL_XONE = 1u << 31; // say when there is room again
} // namespace flow_control

// A byte for each of four LEDs.
namespace ledctl {
inline constexpr std::uint32_t MODE_MASK = 0xFF;
inline constexpr std::uint32_t MODE_ON = 0xE;
inline constexpr std::uint32_t MODE_OFF = 0xF;
} // namespace ledctl

namespace status {
inline constexpr std::uint32_t FD = 1u << 0;
inline constexpr std::uint32_t LU = 1u << 1;
inline constexpr std::uint32_t FUNCTION_MASK = 3u << 2;
inline constexpr std::uint32_t FUNCTION_1 = 1u << 2;
inline constexpr std::uint32_t SPEED_MASK = 3u << 6;
inline constexpr std::uint32_t SPEED_10 = 0u << 6;
inline constexpr std::uint32_t SPEED_100 = 1u << 6; // above it, 10b and 11b: 1000 Mb/s
inline constexpr std::uint32_t GIO_MASTER_ENABLE = 1u << 19;
} // namespace status

namespace eecd {
inline constexpr std::uint32_t PRES = 1u << 8;
inline constexpr std::uint32_t AUTO_RD = 1u << 9; // the hardware has loaded its configuration
inline constexpr std::uint32_t SIZE_SHIFT = 11;   // words: 64 doubled so often (DPDK 22.11.11,
inline constexpr std::uint32_t SIZE_MASK = 0xF;   // e1000_init_nvm_params_82575())
} // namespace eecd

// SDM p. 44: address in bits 15:2, data in bits 31:16.
namespace eerd {
inline constexpr std::uint32_t START = 1u << 0;
inline constexpr std::uint32_t DONE = 1u << 1;
inline constexpr std::uint32_t ADDR_SHIFT = 2;
inline constexpr std::uint32_t DATA_SHIFT = 16;
} // namespace eerd

namespace nvm {
inline constexpr std::uint16_t MAC_WORD = 0;
inline constexpr std::uint16_t LED_WORD = 4;
inline constexpr std::uint16_t VERSION_WORD = 5;
inline constexpr std::uint16_t ETRACK_WORD = 0x42;
inline constexpr std::uint16_t ETRACK_HIGH_WORD = 0x43;
inline constexpr std::uint16_t CHECKSUM_WORD = 0x3F; // SDM 4.5.1.29.14
inline constexpr std::uint16_t CHECKSUM = 0xBABA;    // sum of words 0..3F
} // namespace nvm

namespace mdic {
inline constexpr std::uint32_t DATA_MASK = 0xFFFF;
inline constexpr std::uint32_t REG_SHIFT = 16;
inline constexpr std::uint32_t PHY_SHIFT = 21;
inline constexpr std::uint32_t OP_WRITE = 1u << 26;
inline constexpr std::uint32_t OP_READ = 2u << 26;
inline constexpr std::uint32_t READY = 1u << 28;
inline constexpr std::uint32_t ERROR = 1u << 30;
inline constexpr std::uint32_t PHY_ADDRESS = 1; // of the internal PHY (QEMU refuses others)
} // namespace mdic

// Clause 22 registers of the PHY.
namespace phy {
inline constexpr std::uint8_t BMCR = 0;
inline constexpr std::uint8_t BMSR = 1;
inline constexpr std::uint8_t ID1 = 2;
inline constexpr std::uint8_t ID2 = 3;
inline constexpr std::uint8_t ANAR = 4;       // what is advertised, 10 and 100 Mb/s
inline constexpr std::uint8_t ANLPAR = 5;     // the same of the other end
inline constexpr std::uint8_t GBCR = 9;       // the same, 1 Gb/s
inline constexpr std::uint8_t PORT_CTRL = 18; // of Intel's IGP PHYs (DPDK, e1000_phy.h)
inline constexpr std::uint16_t BMCR_FULL_DUPLEX = 1u << 8;
inline constexpr std::uint16_t BMCR_SPEED_100 = 1u << 13;
inline constexpr std::uint16_t BMCR_RESTART_AUTONEG = 1u << 9;
inline constexpr std::uint16_t BMCR_ISOLATE = 1u << 10;
inline constexpr std::uint16_t BMCR_POWER_DOWN = 1u << 11;
inline constexpr std::uint16_t BMCR_AUTONEG = 1u << 12;
inline constexpr std::uint16_t BMSR_AUTONEG_COMPLETE = 1u << 5;
inline constexpr std::uint16_t ANAR_10_HALF = 1u << 5;
inline constexpr std::uint16_t ANAR_10_FULL = 1u << 6;
inline constexpr std::uint16_t ANAR_100_HALF = 1u << 7;
inline constexpr std::uint16_t ANAR_100_FULL = 1u << 8;
inline constexpr std::uint16_t ANAR_SPEEDS =
    ANAR_10_HALF | ANAR_10_FULL | ANAR_100_HALF | ANAR_100_FULL;
inline constexpr std::uint16_t AN_PAUSE = 1u << 10;
inline constexpr std::uint16_t AN_ASYMMETRIC = 1u << 11;
inline constexpr std::uint16_t GBCR_HALF = 1u << 8;
inline constexpr std::uint16_t GBCR_FULL = 1u << 9;
inline constexpr std::uint16_t PORT_CTRL_AUTO_MDIX = 1u << 12;
inline constexpr std::uint16_t PORT_CTRL_FORCE_MDIX = 1u << 13;
} // namespace phy

namespace swsm {
inline constexpr std::uint32_t SMBI = 1u << 0; // reading 0 takes it
inline constexpr std::uint32_t SWESMBI = 1u << 1;
} // namespace swsm

// Resources that software and firmware share; firmware's bits are 16 higher.
namespace sw_fw {
inline constexpr std::uint32_t EEPROM = 1u << 0;
inline constexpr std::uint32_t PHY0 = 1u << 1;
inline constexpr std::uint32_t PHY1 = 1u << 2;
inline constexpr std::uint32_t FW_SHIFT = 16;
} // namespace sw_fw

namespace rctl {
inline constexpr std::uint32_t EN = 1u << 1;
inline constexpr std::uint32_t SBP = 1u << 2;
inline constexpr std::uint32_t UPE = 1u << 3;
inline constexpr std::uint32_t MPE = 1u << 4;
inline constexpr std::uint32_t LPE = 1u << 5;
inline constexpr std::uint32_t BAM = 1u << 15;
inline constexpr std::uint32_t PMCF = 1u << 23; // MAC control frames come to software too
inline constexpr std::uint32_t VFE = 1u << 18;  // VFTA decides on tagged frames
inline constexpr std::uint32_t SECRC = 1u << 26;
} // namespace rctl

namespace srrctl {
inline constexpr std::uint32_t BSIZEPACKET_SHIFT = 10; // units of 1 KiB (SDM p. 104: 0 = RCTL)
inline constexpr std::uint32_t BSIZEPACKET_MASK = 0x7F;
inline constexpr std::uint32_t DESCTYPE_ADV_ONEBUF = 1u << 25;
inline constexpr std::uint32_t DROP_EN = 1u << 31;
} // namespace srrctl

// RXDCTL and TXDCTL alike.
namespace xdctl {
inline constexpr std::uint32_t PTHRESH_SHIFT = 0;
inline constexpr std::uint32_t HTHRESH_SHIFT = 8;
inline constexpr std::uint32_t WTHRESH_SHIFT = 16;
inline constexpr std::uint32_t ENABLE = 1u << 25;
} // namespace xdctl

namespace rxcsum {
inline constexpr std::uint32_t IPOFL = 1u << 8;
inline constexpr std::uint32_t TUOFL = 1u << 9;
inline constexpr std::uint32_t PCSD = 1u << 13; // RSS hash instead of packet checksum (SDM 5.4.2)
} // namespace rxcsum

namespace mrqc {
inline constexpr std::uint32_t ENABLE_RSS = 2;
inline constexpr std::uint32_t IPV4_TCP = 1u << 16;
inline constexpr std::uint32_t IPV4 = 1u << 17;
inline constexpr std::uint32_t IPV6 = 1u << 20;
inline constexpr std::uint32_t IPV6_TCP = 1u << 21;
inline constexpr std::uint32_t IPV4_UDP = 1u << 22;
inline constexpr std::uint32_t IPV6_UDP = 1u << 23;
} // namespace mrqc

// Timestamps (DPDK 22.11.11, base/e1000_defines.h; igb_ethdev.c for the 82576's increment).
namespace timesync {
inline constexpr unsigned int SUB_NS_BITS = 16;                               // of SYSTIM
inline constexpr std::uint32_t TIMINCA_16_NS = 1u << 24 | 16u << SUB_NS_BITS; // each 16 ns
inline constexpr std::uint32_t VALID = 1u << 0;   // of TSYNCRXCTL and TSYNCTXCTL: there is one
inline constexpr std::uint32_t ENABLED = 1u << 4; // the same
inline constexpr std::uint32_t TSAUXC_DISABLE = 1u << 31;
inline constexpr std::uint16_t ETQF_INDEX = 3; // as stock
inline constexpr std::uint16_t ETHERTYPE = 0x88F7;
} // namespace timesync

namespace tctl {
inline constexpr std::uint32_t EN = 1u << 1;
inline constexpr std::uint32_t PSP = 1u << 3; // pad short packets to 64 bytes
inline constexpr std::uint32_t CT_SHIFT = 4;
inline constexpr std::uint32_t CT_MASK = 0xFFu << 4;
inline constexpr std::uint32_t CT = 15; // SDM p. 364
inline constexpr std::uint32_t RTLC = 1u << 24;
} // namespace tctl

namespace rah {
inline constexpr std::uint32_t AV = 1u << 31; // address valid
} // namespace rah

} // namespace igb
