// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Sends frames out of every kind of memory that an mbuf can have its data in, from port 0.
// Commands on stdin, each answered with a line and "done":
//
//     send KIND COUNT   "sent N", N of COUNT
//     echo              "echoed N whole W rounds R" (churn.hpp)
//     destroy           ends the traffic and the arena of KIND arena, which says
//                       "pool P arena A full F then T": errno of a pool too large for it, of
//                       destroying it with its pool, whether the pool has all its buffers again,
//                       and of destroying it without
//     arena NODE MIB    "at VA BYTES" of an arena on a NUMA node with a pool, or "errno E"
//     drop              destroys both: "errno E"
//     unmap             the memory of KIND mapped: "errno E"
//     free              frees the memory of KIND malloc, whole hugepages: "freed"
//     stop              stops the port: "errno E"
//     quit
//
// KIND: pool (of mempool "iommufd"), foreign (of another mempool), indirect (a clone), malloc (an
// external buffer in EAL's memory), mapped (one in memory given to rte_dev_dma_map() with a lie
// for its IOVA), unmapped (one that no device may reach), arena (of a pool in an arena), taken (in
// the one of command arena). Every frame is broadcast, of type 0x88b5, and byte i behind the type
// is (number * 31 + i * 7) mod 256. The unmapped memory has to be refused for receive at start. The
// port receives into the arena. Before the first command stands "seams N" and "done": N places
// where the memory of KIND mapped is in two pieces for the device.

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include <bus_iommufd_driver.h>
#include <fcntl.h>
#include <rte_bus_iommufd.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_io.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <sys/mman.h>
#include <unistd.h>

#include "churn.hpp"

namespace {

constexpr std::uint16_t frame_length = 600;
constexpr std::uint16_t header = 14;
constexpr std::size_t external = 1 << 20;
constexpr rte_iova_t lie = 0x1234567000; // what an application might believe
constexpr unsigned int buffers = 1023;   // of each pool
constexpr std::size_t arena_size = 8 << 20;
constexpr std::size_t page = 4096;
constexpr std::size_t hugepage = 2 << 20;
constexpr std::size_t stride = 97; // odd: every page of a power of two comes once

rte_mempool *make_pool(const char *name, const char *ops) {
    return rte_pktmbuf_pool_create_by_ops(name, buffers, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
                                          SOCKET_ID_ANY, ops);
}

rte_iommufd_arena *make_arena(std::size_t size, int node) {
    rte_iommufd_arena_conf conf{};
    conf.size = size;
    conf.socket_id = node;
    return rte_iommufd_arena_create(&conf);
}

rte_mempool *pool_in(rte_iommufd_arena *arena, const char *name, unsigned int count) {
    return rte_iommufd_arena_pktmbuf_pool_create(arena, name, count, 0, 0,
                                                 RTE_MBUF_DEFAULT_BUF_SIZE);
}

bool lies_in(const rte_iommufd_arena *arena, const void *memory) {
    rte_iommufd_arena_info info{};
    rte_iommufd_arena_info_get(arena, &info);
    return memory >= info.addr && memory < static_cast<const char *>(info.addr) + info.size;
}

void keep(void * /*address*/, void * /*opaque*/) {}

class Sender {
public:
    bool start() {
        pool_ = make_pool("pool", "iommufd");
        foreign_ = make_pool("foreign", "ring_mp_mc");
        const rte_eth_conf conf{};
        mapped_ = reserve();
        unmapped_ = reserve();
        arena_ = make_arena(arena_size, SOCKET_ID_ANY);
        arena_pool_ = arena_ == nullptr ? nullptr : pool_in(arena_, "arena", buffers);
        if (pool_ == nullptr || foreign_ == nullptr || mapped_ == nullptr || unmapped_ == nullptr ||
            arena_pool_ == nullptr || rte_eth_dev_configure(0, 1, 1, &conf) < 0 ||
            !is_refused_for_receive(unmapped_) || !receive_into(arena_pool_) ||
            rte_eth_tx_queue_setup(0, 0, 128, SOCKET_ID_ANY, nullptr) < 0 ||
            rte_eth_dev_start(0) < 0)
            return false;
        rte_eth_link link{};
        for (int i = 0; i < 100 && link.link_status == 0; ++i) {
            rte_delay_ms(100);
            if (rte_eth_link_get_nowait(0, &link) < 0)
                return false;
        }
        rte_eth_macaddr_get(0, &mac_);
        rte_eth_dev_info info{};
        malloc_ = static_cast<char *>(rte_malloc("external", 2 * hugepage, hugepage));
        return link.link_status != 0 && malloc_ != nullptr && rte_eth_dev_info_get(0, &info) == 0 &&
               rte_extmem_register(mapped_, external, nullptr, 0, 4096) == 0 &&
               rte_dev_dma_map(info.device, mapped_, lie, external) == 0;
    }

    // How many there are in the memory of KIND mapped. Pages that the pin has moved may be in
    // order.
    std::size_t find_seams() {
        seams_ = seams_of(mapped_);
        return seams_.size();
    }

    std::string run(const std::string &command, std::istream &words) {
        std::ostringstream answer;
        if (command == "send") {
            std::string kind;
            unsigned int count = 0;
            words >> kind >> count;
            answer << "sent " << send(kind, count);
        } else if (command == "echo") {
            const Echoed done = echo_while_memory_changes();
            answer << "echoed " << done.frames << " whole " << done.whole << " rounds "
                   << done.rounds;
        } else if (command == "destroy") {
            destroy(answer);
        } else if (command == "arena") {
            int node = SOCKET_ID_ANY;
            std::size_t mebibytes = 0;
            words >> node >> mebibytes;
            take_arena(answer, node, mebibytes << 20);
        } else if (command == "drop") {
            rte_mempool_free(taken_pool_);
            answer << "errno " << -rte_iommufd_arena_destroy(taken_);
        } else if (command == "unmap") {
            answer << "errno " << unmap();
        } else if (command == "free") {
            rte_free(malloc_);
            answer << "freed";
        } else if (command == "hold" || command == "go") {
            answer << hold(command == "hold");
        } else if (command == "stop") {
            answer << "errno " << -rte_eth_dev_stop(0);
        } else {
            answer << "no such command";
        }
        return answer.str();
    }

private:
    // Keeps the device from sending (TCTL.EN, bit 1 of register 400h; tests/unit/igb has its name):
    // what is given to it stays in flight. "go" lets it work on at the next packet.
    static const char *hold(bool on) {
        rte_eth_dev_info info;
        if (rte_eth_dev_info_get(0, &info) != 0)
            return "failed";
        void *bar = RTE_DEV_TO_IOMMUFD(const_cast<rte_device *>(info.device))->bars[0].addr;
        void *tctl = static_cast<char *>(bar) + 0x400;
        rte_write32(on ? rte_read32(tctl) & ~2u : rte_read32(tctl) | 2u, tctl);
        return on ? "held" : "gone";
    }

    unsigned int send(const std::string &kind, unsigned int count) {
        unsigned int sent = 0;
        for (unsigned int i = 0; i < count; ++i) {
            rte_mbuf *m = make(kind, i);
            if (m == nullptr)
                break;
            if (rte_eth_tx_burst(0, 0, &m, 1) == 1)
                ++sent;
            else
                rte_pktmbuf_free(m);
        }
        return sent;
    }

    void destroy(std::ostream &answer) {
        const int too_large = pool_in(arena_, "too large", 16 * buffers) == nullptr ? rte_errno : 0;
        (void)rte_eth_dev_stop(0); // the transmit queue gives its buffers back
        const int with_pool = rte_iommufd_arena_destroy(arena_);
        const bool full = rte_mempool_full(arena_pool_) == 1;
        (void)receive_into(pool_); // of a queue that is set up anew the old one is released
        rte_mempool_free(arena_pool_);
        answer << "pool " << too_large << " arena " << -with_pool << " full " << full << " then "
               << -rte_iommufd_arena_destroy(arena_);
    }

    void take_arena(std::ostream &answer, int node, std::size_t size) {
        taken_ = make_arena(size, node);
        taken_pool_ = taken_ == nullptr ? nullptr : pool_in(taken_, "taken", buffers);
        if (taken_pool_ == nullptr) {
            answer << "errno " << rte_errno;
            return;
        }
        rte_iommufd_arena_info info{};
        rte_iommufd_arena_info_get(taken_, &info);
        answer << "at " << info.addr << " " << info.size;
    }

    static bool receive_into(rte_mempool *pool) {
        return rte_eth_rx_queue_setup(0, 0, 128, SOCKET_ID_ANY, nullptr, pool) == 0;
    }

    int unmap() {
        rte_eth_dev_info info{};
        if (rte_eth_dev_info_get(0, &info) < 0)
            return ENODEV;
        return rte_dev_dma_unmap(info.device, mapped_, lie, external) < 0 ? rte_errno : 0;
    }

    // A pool of pinned external buffers there.
    static bool is_refused_for_receive(char *memory) {
        const rte_pktmbuf_extmem place = {.buf_ptr = memory,
                                          .buf_iova = lie,
                                          .buf_len = external,
                                          .elt_size = RTE_MBUF_DEFAULT_BUF_SIZE};
        rte_mempool *pool = rte_pktmbuf_pool_create_extbuf(
            "pinned", 255, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY, &place, 1);
        const bool refused = pool != nullptr && rte_eth_rx_queue_setup(0, 0, 128, SOCKET_ID_ANY,
                                                                       nullptr, pool) == -EFAULT;
        rte_mempool_free(pool);
        return refused;
    }

    // Pages of a file, each so far from the one before it that few are neighbours for a device,
    // whatever order the kernel has handed them out in.
    static char *reserve() {
        const int file = memfd_create("external", MFD_CLOEXEC);
        void *all = mmap(nullptr, external, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        bool ok = file >= 0 && all != MAP_FAILED && posix_fallocate(file, 0, external) == 0;
        for (std::size_t at = 0; ok && at < external; at += page) {
            void *place = static_cast<char *>(all) + at;
            ok = mmap(place, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file,
                      static_cast<off_t>(at * stride % external)) == place;
        }
        if (file >= 0)
            (void)close(file);
        return ok ? static_cast<char *>(all) : nullptr;
    }

    // Ends of pages after which the device's next page is another one.
    static std::vector<std::size_t> seams_of(const char *memory) {
        std::vector<std::size_t> seams;
        for (std::size_t at = page; at < external; at += page)
            if (rte_iommufd_dma_contiguous(memory + at - 1, 2) == 1)
                seams.push_back(at);
        return seams;
    }

    [[gnu::noinline]] void fill(char *data, unsigned int number) const {
        std::memset(data, 0xff, 6);
        std::memcpy(data + 6, mac_.addr_bytes, 6);
        data[12] = static_cast<char>(0x88);
        data[13] = static_cast<char>(0xb5);
        for (unsigned int i = 0; i < frame_length - header; ++i)
            data[header + i] = static_cast<char>(number * 31 + i * 7);
    }

    rte_mbuf *filled(rte_mempool *pool, unsigned int number) {
        rte_mbuf *m = rte_pktmbuf_alloc(pool);
        if (m != nullptr)
            fill(rte_pktmbuf_append(m, frame_length), number);
        return m;
    }

    // Each frame at a place of its own, across the memory; every fourth lies across a seam, others
    // within a page.
    std::size_t place_of(unsigned int number) const {
        if (number % 4 == 0 && !seams_.empty())
            return seams_[number / 4 % seams_.size()] - RTE_PKTMBUF_HEADROOM - frame_length / 2;
        return (number * 2 * page + page / 4) % (external - page);
    }

    rte_mbuf *attached(char *memory, unsigned int number) {
        rte_mbuf *m = rte_pktmbuf_alloc(pool_);
        if (m == nullptr)
            return nullptr;
        info_.free_cb = keep;
        rte_mbuf_ext_refcnt_set(&info_, 60000); // never given back
        char *data = memory + place_of(number);
        rte_pktmbuf_attach_extbuf(m, data, lie, 2048, &info_);
        if (char *frame = rte_pktmbuf_append(m, frame_length); frame != nullptr)
            fill(frame, number);
        return m;
    }

    rte_mbuf *from_arena(const rte_iommufd_arena *arena, rte_mempool *pool, unsigned int number) {
        rte_mbuf *m = filled(pool, number);
        if (m != nullptr && lies_in(arena, m->buf_addr))
            return m;
        rte_pktmbuf_free(m);
        return nullptr;
    }

    rte_mbuf *make(const std::string &kind, unsigned int number) {
        if (kind == "pool")
            return filled(pool_, number);
        if (kind == "foreign")
            return filled(foreign_, number);
        if (kind == "malloc")
            return attached(malloc_, number);
        if (kind == "mapped")
            return attached(mapped_, number);
        if (kind == "unmapped")
            return attached(unmapped_, number);
        if (kind == "arena")
            return from_arena(arena_, arena_pool_, number);
        if (kind == "taken")
            return from_arena(taken_, taken_pool_, number);
        rte_mbuf *direct = filled(foreign_, number);
        rte_mbuf *clone = direct == nullptr ? nullptr : rte_pktmbuf_clone(direct, pool_);
        rte_pktmbuf_free(direct);
        return clone;
    }

    rte_mempool *pool_ = nullptr;
    rte_mempool *foreign_ = nullptr;
    std::vector<std::size_t> seams_; // of mapped_
    char *mapped_ = nullptr;
    char *unmapped_ = nullptr;
    char *malloc_ = nullptr;
    rte_iommufd_arena *arena_ = nullptr;
    rte_mempool *arena_pool_ = nullptr;
    rte_iommufd_arena *taken_ = nullptr; // by command
    rte_mempool *taken_pool_ = nullptr;
    rte_ether_addr mac_{};
    rte_mbuf_ext_shared_info info_{};
};

} // namespace

int main(int argc, char **argv) {
    Sender sender;
    if (rte_eal_init(argc, argv) < 0 || !sender.start()) {
        std::printf("failed: no port\n");
        return 1;
    }
    std::printf("seams %zu\ndone\n", sender.find_seams());
    std::fflush(stdout);
    std::string line;
    while (std::getline(std::cin, line) && line != "quit") {
        std::istringstream words(line);
        std::string command;
        words >> command;
        std::printf("%s\ndone\n", sender.run(command, words).c_str());
        std::fflush(stdout);
    }
    (void)rte_eth_dev_stop(0);
    (void)rte_eth_dev_close(0);
    return rte_eal_cleanup() == 0 ? 0 : 1;
}
