/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The dpdk-iommufd authors
 */

/* An application in C with the bus linked in, before any device is there. */

#include <stdio.h>

#include <rte_bus_iommufd.h>

static int failed;

static void expect(int condition, const char *what) {
    if (condition)
        return;
    printf("not so: %s\n", what);
    failed = 1;
}

int main(void) {
    int local = 0;

    expect(rte_iommufd_virt2dma(&local) == RTE_BAD_IOVA, "no address before any device");
    expect(rte_iommufd_virt2dma(NULL) == RTE_BAD_IOVA, "no address for NULL");
    expect(rte_iommufd_dma_contiguous(&local, sizeof(local)) == 0, "nothing is contiguous");
    return failed;
}
