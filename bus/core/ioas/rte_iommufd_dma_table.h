/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The dpdk-iommufd authors
 */

#ifndef RTE_IOMMUFD_DMA_TABLE_H
#define RTE_IOMMUFD_DMA_TABLE_H

/**
 * @file
 * The table from virtual to DMA addresses, as its readers see it. Needs nothing of DPDK.
 *
 *     root: 2^17 words, one per GiB of the 47-bit range
 *       |-- 0                not mapped
 *       |-- leaf             a 1 GiB page
 *       `-- directory        512 words, one per 2 MiB
 *             |-- 0, leaf    a 2 MiB page
 *             `-- directory  512 words, one per 4 KiB: 0 or leaf
 *
 *     leaf word      = (DMA - VA) | RTE_IOMMUFD_LEAF    both are page aligned: 12 free bits
 *     directory word = address of the directory | RTE_IOMMUFD_DIRECTORY
 *     DMA address    = VA + (leaf word - RTE_IOMMUFD_LEAF), the same at every level
 *
 * A reader takes one to three loads: no lock, no system call, any thread, while one writer
 * maps and unmaps. The writer publishes a directory with a release store after its words are
 * set, and a directory is never freed nor given another range, so a reader cannot follow a
 * stale one. A leaf is one word: a reader sees it whole or not at all.
 */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Bits of a virtual address that the table covers. */
#define RTE_IOMMUFD_VA_BITS 47
/** Words of the root. */
#define RTE_IOMMUFD_ROOT_WORDS (UINT64_C(1) << (RTE_IOMMUFD_VA_BITS - 30))
/** Words of a directory. */
#define RTE_IOMMUFD_DIRECTORY_WORDS UINT64_C(512)
/** Set in the word of a page. */
#define RTE_IOMMUFD_LEAF UINT64_C(1)
/** Set in the word of a directory. */
#define RTE_IOMMUFD_DIRECTORY UINT64_C(2)
/** What lookups answer for an address that is not mapped; equals RTE_BAD_IOVA. */
#define RTE_IOMMUFD_NO_DMA UINT64_MAX

/** The word for bits [shift, shift + 9) of @p va in the directory that @p word stands for. */
static inline uint64_t rte_iommufd_directory_word(uint64_t word, uint64_t va, unsigned int shift) {
    const uint64_t *const directory = (const uint64_t *)(uintptr_t)(word - RTE_IOMMUFD_DIRECTORY);

    return __atomic_load_n(&directory[(va >> shift) & (RTE_IOMMUFD_DIRECTORY_WORDS - 1)],
                           __ATOMIC_ACQUIRE);
}

/**
 * DMA address of @p va in the table under @p root.
 *
 * @return
 *   The address, or RTE_IOMMUFD_NO_DMA if the page is not mapped.
 */
static inline uint64_t rte_iommufd_table_lookup(const uint64_t *root, uint64_t va) {
    const uint64_t gib = va >> 30;
    uint64_t word;

    if (__builtin_expect(gib >= RTE_IOMMUFD_ROOT_WORDS, 0))
        return RTE_IOMMUFD_NO_DMA;
    word = __atomic_load_n(&root[gib], __ATOMIC_ACQUIRE);
    if (__builtin_expect((word & RTE_IOMMUFD_DIRECTORY) != 0, 1))
        word = rte_iommufd_directory_word(word, va, 21);
    if (__builtin_expect((word & RTE_IOMMUFD_LEAF) == 0, 0)) {
        /* A directory of 4 KiB pages, or nothing. */
        if (word != 0)
            word = rte_iommufd_directory_word(word, va, 12);
        if (word == 0)
            return RTE_IOMMUFD_NO_DMA;
    }
    return va + (word - RTE_IOMMUFD_LEAF);
}

/**
 * The leaf word of the page that holds @p va in the table under @p root.
 *
 * @param[out] shift
 *   Of the page: it has 2^shift bytes.
 * @return
 *   The word, or 0 if the page is not mapped; @p shift says nothing then.
 */
static inline uint64_t rte_iommufd_table_leaf(const uint64_t *root, uint64_t va,
                                              unsigned int *shift) {
    const uint64_t gib = va >> 30;
    uint64_t word;

    *shift = 30;
    if (__builtin_expect(gib >= RTE_IOMMUFD_ROOT_WORDS, 0))
        return 0;
    word = __atomic_load_n(&root[gib], __ATOMIC_ACQUIRE);
    while ((word & RTE_IOMMUFD_DIRECTORY) != 0) {
        *shift -= 9;
        word = rte_iommufd_directory_word(word, va, *shift);
    }
    return word;
}

/**
 * DMA address of @p va in the table under @p root, and how far it goes on for a device. One walk
 * for a range within a page. The walk over several is not one atomic step: the caller must own
 * the memory it asks about.
 *
 * @param[in,out] length
 *   Bytes asked for; then as many of them, from @p va on, as are mapped and contiguous for a
 *   device, 0 if @p va is not mapped.
 * @return
 *   As rte_iommufd_table_lookup().
 */
static inline uint64_t rte_iommufd_table_lookup_range(const uint64_t *root, uint64_t va,
                                                      uint64_t *length) {
    const uint64_t wanted = *length;
    unsigned int shift;
    const uint64_t leaf = rte_iommufd_table_leaf(root, va, &shift);
    uint64_t run;

    if (__builtin_expect(leaf == 0, 0)) {
        *length = 0;
        return RTE_IOMMUFD_NO_DMA;
    }
    run = (UINT64_C(1) << shift) - (va & ((UINT64_C(1) << shift) - 1));
    /* A leaf is DMA - VA: what follows in both has the same word. */
    while (__builtin_expect(run < wanted, 0) &&
           rte_iommufd_table_leaf(root, va + run, &shift) == leaf)
        run += UINT64_C(1) << shift;
    if (run < wanted)
        *length = run;
    return va + (leaf - RTE_IOMMUFD_LEAF);
}

#ifdef __cplusplus
}
#endif

#endif /* RTE_IOMMUFD_DMA_TABLE_H */
