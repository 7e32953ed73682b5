# SPDX-License-Identifier: BSD-3-Clause
"""The plot: cycles per forwarded packet against burst size, drawn by gnuplot."""

import subprocess

from table import TITLES, present

# One colour a width; fast free has hollow points, peers are dashed.
STYLES = {
    "stock": 'lc rgb "#b22222" dt 2 pt 5',
    "stock_rebuilt": 'lc rgb "#e07b7b" dt 2 pt 4',
    "ixgbe_vector": 'lc rgb "#d98c00" dt 2 pt 15',
    "floor": 'lc rgb "#707070" dt 3 pt 2',
    "scalar": 'lc rgb "#08306b" pt 9',
    "scalar_fast_free": 'lc rgb "#08306b" pt 8',
    "avx2": 'lc rgb "#2171b5" pt 11',
    "avx2_fast_free": 'lc rgb "#2171b5" pt 10',
    "avx512": 'lc rgb "#2e8b57" pt 7',
    "avx512_fast_free": 'lc rgb "#2e8b57" pt 6',
}

HEAD = """\
set terminal svg size 920,480 font "sans-serif,13" background "white"
set output "{file}"
set title "Forwarding 64-byte packets, medians of {processes} processes"
set xlabel "burst size, packets"
set ylabel "TSC cycles per packet"
set logscale x 2
set xtics ({tics})
set xrange [{first}*0.9:{last}*1.1]
set yrange [0:*]
set grid ytics lt 1 lw 1 lc rgb "#d8d8d8"
set key outside right center Left reverse samplen 2 spacing 1.4
"""


def block(name, variant):
    rows = [f"{burst} {figures['fwd_cycles']} {figures['fwd_cycles_min']} {figures['fwd_cycles_max']}"
            for burst, figures in variant["bursts"].items() if figures is not None]
    return "\n".join([f"${name} << END", *rows, "END"])


def script(result, file):
    variants = present(result)
    bursts = list(result["peers"]["stock"]["bursts"])
    head = HEAD.format(file=file.replace('"', '\\"'), processes=result["processes"],
                       tics=", ".join(bursts), first=bursts[0], last=bursts[-1])
    lines = []
    for name, _ in variants:
        title = TITLES[name].replace("_", "\\\\_")
        lines.append(f'${name} with yerrorlines lw 2 {STYLES[name]} title "{title}"')
    return "\n".join([head, *(block(*variant) for variant in variants),
                      "plot " + ", \\\n     ".join(lines), ""])


def draw(result, file):
    subprocess.run(["gnuplot"], input=script(result, file), text=True, check=True)
