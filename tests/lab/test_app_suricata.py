#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --apps --userland trixie --cpus 3 --nics 1 --peer --extra-device igb,netdev=hub1 --extra-device e1000e,netdev=hub1 --timeout 420
"""Suricata as Debian packages it, under dpdk-iommufd-run: an ordinary user's, without any capability;
as IDS on one port, and as IPS between two on segments of their own. The time limit covers the first
run, which debootstraps Debian 13."""

import base64
import json
import os
import random
import signal

from labtest import lab, memory, peer, privileges, process, segment, stock, storm, tap, udp

FOLDER = "/run/labtest-suricata"
EVENTS = f"{FOLDER}/eve.json"
# Each with a word in its payload that no random bytes have.
RULES = """\
alert udp any any -> any any (msg:"seen"; content:"look at this one"; sid:1; rev:1;)
drop udp any any -> any any (msg:"dropped"; content:"not this one"; sid:2; rev:1;)
"""
SEEN, DROPPED = b"look at this one", b"not this one"
COUNT = 96
SETTINGS = """\
%YAML 1.1
---
vars:
  address-groups:
    HOME_NET: any
    EXTERNAL_NET: any
outputs:
  - eve-log:
      enabled: yes
      filetype: regular
      filename: eve.json
      types:
        - alert:
            packet: yes
logging:
  outputs:
    - console:
        enabled: yes
flow:
  memcap: 16mb
  hash-size: 4096
  prealloc: 1000
threading:
  set-cpu-affinity: yes
  cpu-affinity:
    - management-cpu-set:
        cpu: [ 0 ]
    - worker-cpu-set:
        cpu: [ 1, 2 ]
        mode: exclusive
dpdk:
  eal-params:
    proc-type: primary
  interfaces:
"""
PORT = """\
    - interface: {port}
      threads: 1
      promisc: true
      checksum-checks: true
      checksum-checks-offload: true
      mtu: 1500
      mempool-size: 4095
      mempool-cache-size: 273
      rx-descriptors: 512
      tx-descriptors: 512
      copy-mode: {mode}
      copy-iface: {other}
"""


def write_settings(ports, mode):
    """mode: "none" for an IDS, "ips"."""
    text = SETTINGS
    for port, other in zip(ports, reversed(ports)):
        text += PORT.format(port=port, mode=mode, other=other if mode != "none" else "none")
    if not os.path.isdir(FOLDER):
        os.mkdir(FOLDER)
        os.chown(FOLDER, privileges.UID, privileges.UID)
    lab.write(f"{FOLDER}/suricata.yaml", text)
    lab.write(f"{FOLDER}/rules", RULES)
    if os.path.exists(EVENTS):
        os.unlink(EVENTS)


def start(ports, mode):
    write_settings(ports, mode)
    program = process.Process([
        *stock.run(*ports), "suricata", "--dpdk", "--runmode", "workers", "-v",
        "-c", f"{FOLDER}/suricata.yaml", "-S", f"{FOLDER}/rules", "-l", FOLDER])
    program.wait_for("Engine started", 80)
    program.note_start()
    stock.check_privileges(program.pid)
    return program


def stop(program):
    os.kill(program.pid, signal.SIGTERM)
    tap.equal(program.wait(30), 0, "exit status")
    stock.settle()


def alerts():
    """Frames that rules have told of, by number of the rule."""
    found = {1: [], 2: []}
    with open(EVENTS, encoding="utf-8") as file:
        for line in file:
            event = json.loads(line)
            if event["event_type"] == "alert":
                found[event["alert"]["signature_id"]].append(base64.b64decode(event["packet"]))
    return found


def frames(port, word=b"", count=COUNT):
    """Of all lengths. In the middle of each payload stands the word, if one fits."""
    made = []
    for number in range(count):
        noise = random.randbytes(len(word) + 18 + number * 97 % (udp.LARGEST - len(word) - 18))
        at = (len(noise) - len(word)) // 2
        text = noise[:at] + word + noise[at + len(word):]
        made.append(udp.frame((port.mac, "02:00:00:00:00:77"), ("198.18.0.9", "198.18.1.1"), text,
                              number=number))
    return made


def send(port, made):
    for frame in made:
        port.send(frame)


@tap.test("IDS: sees every frame, and of each all its bytes")
def ids():
    program = start([lab.NICS[0]], "none")
    with peer.Peer() as port:
        sent = frames(port, SEEN)
        send(port, sent + frames(port))
        got = process.settled(lambda: len(alerts()[1]), COUNT, quiet=5.0)
        tap.equal(got, COUNT, f"alerts:\n{program.output[-2000:]}")
        tap.check(alerts()[1] == sent, "a frame that it tells of is not as it was sent")
    stop(program)


def passes(port, other):
    """From one segment to the other one, whole; and what is to be dropped does not."""
    sent = frames(port)
    bad = frames(port, DROPPED, 8)
    send(port, [frame for at in range(8) for frame in [*sent[at * 12:at * 12 + 12], bad[at]]])
    back = other.receive(COUNT, quiet=3.0, ethertype=udp.ETHERTYPE)
    tap.equal(len(back), COUNT, "frames that came by")
    tap.check(back == sent, "frames that were changed on their way")


def both_ways(name):
    with peer.Peer() as port, peer.Peer(name) as other:
        passes(port, other)
        passes(other, port)


@tap.test("IPS between two segments: whole both ways while pages are moved, and what a rule drops",
          limit=150)
def ips():
    with segment.second() as (nic, name):
        ports = [lab.NICS[0], nic]
        program = start(ports, "ips")
        both_ways(name)
        tap.equal(len(alerts()[2]), 16, "frames that were dropped")
        with storm.Storm(program.pid, 1) as blown:
            while blown.blows():
                both_ways(name)
        tap.equal((blown.rounds > 0, blown.moved, blown.wandered()), (True, 0, 0),
                  "whether there was a round, hugepages that moved")
        tap.equal(memory.pinned(program.pid),
                  len(memory.hugepages_of(program.pid)) * memory.HUGEPAGE, "pinned bytes")
        program.kill()
        stock.settle()
        program = start(ports, "ips")
        both_ways(name)
        stop(program)


tap.main()
