// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// bench_hotpath: from the command line to a mode.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <unistd.h>

#include "delay.hpp"
#include "modes.hpp"
#include "options.hpp"

namespace bench {

namespace {

// Leave out what was not asked for; it is there, but has no turn.
void select(Variants &variants, const Selection &selection) {
    const auto wanted = [&selection](const std::string &name) {
        return selection.variants.empty() ||
               std::find(selection.variants.begin(), selection.variants.end(), name) !=
                   selection.variants.end();
    };

    for (const std::string &name : selection.variants) {
        const auto named = [&name](const auto &variant) { return variant->name == name; };
        for (const Absent &absent : variants.absent)
            if (absent.name == name)
                throw std::runtime_error(name + ": " + absent.reason);
        if (std::find_if(variants.present.begin(), variants.present.end(), named) ==
            variants.present.end())
            refuse("no such variant: " + name);
    }
    std::erase_if(variants.present, [&](const auto &variant) { return !wanted(variant->name); });
}

int run(const Options &options) {
    const Machine machine = start_eal(options.eal);
    if (options.mode == "mempool") {
        measure_mempools(machine);
        return EXIT_SUCCESS;
    }
    replace_delays();
    Variants variants = make_variants(*options.selection.workload);

    const bool with_stock = options.mode == "check" && !options.selection.variants.empty();
    Selection selection = options.selection;
    if (with_stock)
        selection.variants.emplace_back(stock_name);
    select(variants, selection);
    if (options.mode == "list") {
        list_machine(machine);
        list_variants(variants);
    } else if (options.mode == "cycles") {
        measure_cycles(variants, selection);
    } else if (options.mode == "instructions") {
        count_instructions(variants, selection);
    } else if (options.mode == "check") {
        return check_output(variants, *selection.workload) ? EXIT_SUCCESS : EXIT_FAILURE;
    } else if (options.mode == "two-core") {
        measure_two_cores(variants, machine, selection);
    } else if (options.mode == "repeat") {
        repeat_rounds(variants, selection);
    } else {
        refuse("no such mode: " + options.mode);
    }
    return EXIT_SUCCESS;
}

} // namespace

} // namespace bench

int main(int argc, char **argv) {
    int status = EXIT_FAILURE;

    try {
        status = bench::run(bench::parse_options(argc, argv));
    } catch (const std::invalid_argument &error) {
        std::fprintf(stderr, "bench_hotpath: %s\n", error.what());
        status = 2;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "bench_hotpath: %s\n", error.what());
    }
    // The ports are not closed and the drivers' exit handlers not run: there is no hardware,
    // and the models end here.
    if (std::fflush(stdout) != 0)
        status = EXIT_FAILURE;
    _exit(status);
}
