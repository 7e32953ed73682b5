#!/usr/bin/python3 -sS
# SPDX-License-Identifier: BSD-3-Clause
# host: --timeout 60
"""The preload library stands in for VFIO's functions under the names of DPDK until 26.07 and of 26.11,
hands on to DPDK's own what is not for it, and says one sentence of a DPDK that it does not know. DPDK
is a library of a few functions here, and there is no device."""

import os
import re
import subprocess
import tempfile

from host_tap import TREE, check, done

LIBRARY = os.path.join(os.environ.get("LAB_BUILD", f"{TREE}/build"),
                       "bus/preload/librte_iommufd_preload.so")

# What DPDK's own functions answer: setup and release 42, DMA functions the sum of their arguments.
OLD = {
    "rte_vfio_is_enabled": ("const char *a", "return 7", '"vfio"', 7),
    "rte_vfio_noiommu_is_enabled": ("void", "return 8", "", 8),
    "rte_vfio_setup_device": ("const char *a, const char *b, int *fd, void *info",
                              "*fd = 5; return info != 0 ? 42 : 0",
                              '"/sys", "0000:77:00.0", &fd, &fd', 42),
    "rte_vfio_release_device": ("const char *a, const char *b, int fd", "return fd",
                                '"/sys", "0000:77:00.0", 43', 43),
    "rte_vfio_container_create": ("void", "return 9", "", 9),
    "rte_vfio_container_dma_map": ("int a, unsigned long b, unsigned long c, unsigned long d",
                                   "return a + b + c + d", "-1, 2, 3, 4", 8),
    "rte_vfio_container_dma_unmap": ("int a, unsigned long b, unsigned long c, unsigned long d",
                                     "return a + b + c + d", "-1, 20, 30, 40", 89),
}
NEW = {name.replace("rte_", "dev_", 1): function for name, function in OLD.items()
       if "noiommu" not in name}
NEW |= {
    "dev_vfio_enable": ("void", "return 10", "", 10),
    "dev_vfio_is_enabled": ("void", "return 7", "", 7),
    "dev_vfio_get_iova_mode": ("void", "return 1", "", 1),
    "dev_vfio_setup_device": ("const char *a, const char *b, int *fd", "*fd = 5; return 42",
                              '"/sys", "0000:77:00.0", &fd', 42),
    "dev_vfio_get_device_info": ("int fd, void *info", "return info != 0 ? fd : 0", "44, &fd", 44),
}


def read(path):
    with open(f"{TREE}/{path}", encoding="utf-8") as file:
        return file.read()


# Every other function that the library looks up; each answers 0.
OTHERS = set(re.findall(r"^    X\((rte_\w+)\) *\\?$", read("bus/preload/eal_api.hpp"), re.M)) - {
    *OLD, "rte_version"}
EXPORTED = set(re.findall(r"^\t((?:rte|dev)_vfio_\w+);$", read("bus/preload/version.map"), re.M))


def build(folder, functions):
    dpdk = "int asked;\nconst char *version = \"\";\n" \
           "const char *rte_version(void) { ++asked; return version; }\n"
    dpdk += "".join(f"long {name}(void) {{ return 0; }}\n" for name in sorted(OTHERS))
    program = "#include <stdio.h>\nextern int asked;\nextern const char *version;\n"
    calls = ""
    for name, (parameters, body, arguments, _) in functions.items():
        dpdk += f"int {name}({parameters}) {{ {body}; }}\n"
        program += f"int {name}({parameters});\n"
        calls += f'    printf("{name} %d\\n", {name}({arguments}));\n'
    program += f"int main(int n, char **v) {{\n    int fd = -1;\n    version = v[1];\n{calls}" \
               "    printf(\"asked %d\\n\", asked);\n    return n != 2;\n}\n"
    for file, text in (("dpdk.c", dpdk), ("program.c", program)):
        with open(f"{folder}/{file}", "w", encoding="ascii") as source:
            source.write(text)
    subprocess.run(["cc", "-w", "-shared", "-fPIC", "-o", f"{folder}/libdpdk.so",
                    f"{folder}/dpdk.c"], check=True, timeout=30)
    subprocess.run(["cc", "-w", "-o", f"{folder}/program", f"{folder}/program.c", "-L", folder,
                    "-ldpdk", f"-Wl,-rpath,{folder}"], check=True, timeout=30)


def run(folder, version):
    """What each function answered, and what was said."""
    done_ = subprocess.run([f"{folder}/program", version], env={"LD_PRELOAD": LIBRARY},
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=True,
                           timeout=30)
    answers = dict(line.split() for line in done_.stdout.splitlines())
    return {name: int(value) for name, value in answers.items()}, done_.stderr


check("the library stands in for these names and no other of VFIO's", EXPORTED, {*OLD, *NEW})
for functions, version, wrong in ((OLD, "DPDK 25.11.2", "DPDK 21.11.0"),
                                  (NEW, "DPDK 26.11.0", "DPDK 27.03.0")):
    with tempfile.TemporaryDirectory() as path:
        build(path, functions)
        found, said = run(path, version)
        check(f"{version}: the library has been called", found.pop("asked") > 0, True)
        check(f"{version}: DPDK's own functions answer without a device of ours", found,
              {name: function[-1] for name, function in functions.items()})
        check(f"{version}: and nothing is said", said, "")
        found, said = run(path, wrong)
        check(f"{wrong}: nothing is handed on", any(
            found[name] == function[-1] for name, function in functions.items()), False)
        check(f"{wrong}: one sentence",
              said, f"iommufd: the application runs on {wrong}, and this library knows DPDK 22.11 to "
              "26.11: run it on one of those, or without this library\n")
done()
