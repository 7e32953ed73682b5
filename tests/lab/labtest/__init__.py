# SPDX-License-Identifier: BSD-3-Clause
"""What the lab tests (test_*.py one folder up) share; standard library only.

tap         tests, checks, TAP on stdout, and the proof that a file leaves nothing behind
lab         the guest: NICs, plugins, EAL arguments, drivers bound through sysfs
process     a program on a terminal, with a deadline for every wait
testpmd     dpdk-testpmd, its commands and statistics
peer        frames in and out of the kernel-driven NIC
dma         the program dma_addresses, which tells its memory's DMA addresses
memory      hugepages, pagemap, page migration, what a process has pinned
traffic     frames through two ports of testpmd and back, every byte compared
storm       migration of a process's pages, again and again
canary      hugepages of a process without a device, to see who writes into them
telemetry   DPDK's telemetry socket
privileges  programs that may do less than root
trace       who opens pagemap
"""
