#!/usr/bin/python3 -sS
# SPDX-License-Identifier: BSD-3-Clause
"""What tests of the lab say when there was nothing to see: that they have failed. The functions of
tests/lab are run here on a guest that is made up, once as it has to be and once as it must not be."""

import contextlib
import importlib.util
import io
import os
import struct
import sys
import tempfile
from unittest import mock

from host_tap import TREE, check, done

LAB = os.path.join(TREE, "tests/lab")
sys.path.insert(0, LAB)
os.environ["LAB_NICS"], os.environ["LAB_PEER"] = "0000:01:00.0 0000:02:00.0", "eth0"

# pylint: disable-next=wrong-import-position
from labtest import tap  # noqa: E402

PASS, FAIL, SKIP = "passes", "fails", "is skipped"
PAGES = [0, 1, 2]
BEFORE, AFTER, SOME_MOVED = [10, 11, 12], [20, 21, 22], [20, 11, 12]


def load(name):
    """A test file as a module: its tests are not run."""
    spec = importlib.util.spec_from_file_location(name, f"{LAB}/{name}.py")
    module = importlib.util.module_from_spec(spec)
    with mock.patch.object(tap, "main"):
        spec.loader.exec_module(module)
    return module


def verdict(module, function, **instead):
    """How a test ends, with these in the place of what its module has by their names."""
    with contextlib.ExitStack() as stack, contextlib.redirect_stdout(io.StringIO()):
        for name, value in instead.items():
            stack.enter_context(mock.patch.object(module, name, value, create=True))
        try:
            getattr(module, function)()
        except tap.Skip:
            return SKIP
        except tap.Failure:
            return FAIL
        return PASS


def returns(value):
    return mock.MagicMock(return_value=value)


def in_turn(*values):
    return mock.MagicMock(side_effect=list(values))


def proof_of_migration():
    module = load("test_memory_stock")
    frames = module.FRAMES

    def ours(nodes=2, bystander=module.BYSTANDER, buffers=(module.ALL_BUFFERS, 0, 0), **trial):
        result = module.Trial(**{"before": frames, "after": frames, "pages": 40, **trial})

        def migrate(_pid, of_bystander):
            of_bystander.moved = of_bystander.wandered = bystander

        return verdict(module, "ours_goes_on", memory=mock.MagicMock(numa_nodes=returns(nodes)),
                       Canaries=mock.MagicMock(), migrate=migrate, trial=returns(result),
                       buffers_only=returns(buffers))

    def stock(**trial):
        result = module.Trial(**{"before": frames, "pages": 40, "moved": 40, "changed": 1, **trial})
        return verdict(module, "stock_stops", need_the_stock_way=mock.MagicMock(),
                       trial=returns(result))

    check("ours: all in place", ours(), PASS)
    check("ours: one hugepage of 40 has moved", ours(wandered=1), FAIL)
    check("ours: a hugepage of another process was written to", ours(changed=1), FAIL)
    check("ours: a frame is lost after it", ours(after=frames - 1), FAIL)
    check("ours: a hugepage of buffers has moved", ours(buffers=(module.ALL_BUFFERS, 1, 0)), FAIL)
    check("ours: hugepages without a device do not move either", ours(bystander=0), FAIL)
    check("ours: one of those does not", ours(bystander=module.BYSTANDER - 1), FAIL)
    check("ours: there is nowhere to migrate to", ours(nodes=1), FAIL)
    check("the stock way: all moved, nothing comes back", stock(), PASS)
    check("the stock way: some moved alone", stock(moved=39, changed=0), SKIP)
    check("the stock way: nothing moved", stock(moved=0), FAIL)
    check("the stock way: a frame comes back", stock(after=1), FAIL)


def moved_between_devices():
    module = load("test_robustness")

    def moved(after, pages=PAGES):
        memory = mock.MagicMock(hugepages_of=returns(pages), pinned=returns(0))
        program = mock.MagicMock()
        program.return_value.quit.return_value = 0
        quiet = {name: mock.MagicMock() for name in ("Peer", "check_forwarding", "detach", "attach",
                                                     "check_released")}
        return verdict(module, "moved_meanwhile", memory=memory, testpmd=program,
                       storm=mock.MagicMock(frames=in_turn(BEFORE[:len(pages)], after)), **quiet)

    check("devices away: every hugepage moved", moved(AFTER), PASS)
    check("devices away: none moved", moved(BEFORE), FAIL)
    check("devices away: one of three moved", moved(SOME_MOVED), FAIL)
    check("devices away: there is no hugepage", moved([], []), FAIL)


def stock_in_a_storm():
    module = load("test_stock")

    def storm(back=0, sent=100, moved=(40, 40)):
        flow = mock.MagicMock()
        flow.return_value.__enter__.return_value.sent = sent
        return verdict(module, "stock_storm", Peer=mock.MagicMock(), Testpmd=mock.MagicMock(),
                       stock=mock.MagicMock(), forward=in_turn(150, back),
                       traffic=mock.MagicMock(Flow=flow),
                       storm=mock.MagicMock(migrate=returns(moved)))

    def two_drivers(rounds=module.ROUNDS, moved=0, wandered=0, whole=150):
        gale = mock.MagicMock(rounds=rounds, moved=moved, wandered=returns(wandered),
                              blows=in_turn(True, False))
        storms = mock.MagicMock()
        storms.Storm.return_value.__enter__.return_value = gale
        stock, memory = mock.MagicMock(), mock.MagicMock(referenced_code=in_turn(0, 9, 9))
        program = stock.testpmd.return_value.start.return_value
        program.quit.return_value = 0
        return verdict(module, "two_drivers", Peer=mock.MagicMock(), stock=stock, memory=memory,
                       forward=in_turn(150, whole, 150), storm=storms)

    check("stock, migrated: no frame of 20 comes back", storm(), PASS)
    check("stock, migrated: one does", storm(back=1), FAIL)
    check("stock, migrated: nothing was sent meanwhile", storm(sent=0), FAIL)
    check("stock, migrated: no hugepage moved", storm(moved=(0, 40)), FAIL)
    check("stock, migrated: some hugepages moved", storm(moved=(39, 40)), SKIP)
    check("two drivers in a storm", two_drivers(), PASS)
    check("two drivers: the storm was over before traffic", two_drivers(rounds=0), FAIL)
    check("two drivers: a hugepage moved and came back", two_drivers(moved=1), FAIL)
    check("two drivers: a hugepage is elsewhere", two_drivers(wandered=1), FAIL)
    check("two drivers: a frame is lost in the storm", two_drivers(whole=149), FAIL)


def refused_in_va_mode():
    module = load("test_stock_memory")

    def va_mode(output, holders=()):
        stock, lab = mock.MagicMock(), mock.MagicMock()
        program = stock.testpmd.return_value.start.return_value
        program.output, program.quit.return_value = output, 0
        lab.holders.return_value = set(holders)
        return verdict(module, "va_mode", stock=stock, lab=lab)

    none = "No probed ethernet devices\n"
    reason = ("iommufd: 0000:01:00.0: DPDK runs in IOVA mode VA, and without an IOMMU a device needs "
              "physical addresses: leave --iova-mode=va out\n")
    check("IOVA mode VA: refused, with the reason", va_mode(reason + none), PASS)
    check("IOVA mode VA: a line that EAL always prints",
          va_mode(none + "EAL: Selected IOVA mode 'VA'\n"), FAIL)
    check("IOVA mode VA: the device is there", va_mode(reason), FAIL)
    check("IOVA mode VA: DPDK's line before ours",
          va_mode("Expecting 'PA' IOVA mode but current mode is 'VA', not initializing\n" + reason +
                  none), FAIL)
    check("IOVA mode VA: somebody has the device", va_mode(reason + none, {7}), FAIL)


def virtual_function():
    module = load("test_stock_vf")

    def registers(status):
        with tempfile.TemporaryFile() as file:
            file.write(struct.pack("<8xI4084x", status))
            file.flush()
            with open(file.fileno(), "r+b", closefd=False) as resource:
                return verdict(module, "check", lab=mock.MagicMock(), open=returns(resource),
                               check=lambda: module.check_registers("0000:01:10.0"))

    check("a virtual function whose registers answer", registers(0x83), PASS)
    check("a QEMU that passes no access to them on", registers(0), FAIL)
    check("registers that are not there", registers(0xFFFFFFFF), FAIL)
    with open(f"{LAB}/test_stock_vf.py", encoding="utf-8") as file:
        check("no test of virtual functions can be skipped", "Skip" not in file.read())


for part in (proof_of_migration, moved_between_devices, stock_in_a_storm, refused_in_va_mode,
             virtual_function):
    part()
done()
