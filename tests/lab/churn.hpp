// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Traffic on port 0 while another lcore takes hugepages from EAL and gives them back:
//
//     main lcore    receives a frame, copies it into a buffer of the newest pool, sends that
//     worker        makes a pool in new hugepages; takes a block of hugepages, fills it, compares
//                   it, gives it back; frees every older pool whose buffers are all back

struct Echoed {
    unsigned int frames; // sent back
    bool whole;          // no buffer was lost, no block changed by anybody else, memory to be had
    unsigned int rounds; // pools made and freed
};

// Until a frame of type 0x88b6 has come, or none for 10 s. The port is started, and stopped at the
// end.
Echoed echo_while_memory_changes();
