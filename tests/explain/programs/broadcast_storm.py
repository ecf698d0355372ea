#!/usr/bin/env python3
"""Sends all it has every 50 ms to everybody, whatever has been acknowledged, where a round trip takes 200 ms."""

import json
import os
import select
import sys
import time

from node import Node

PERIOD = 0.05

node = Node()
values = set()


def handle(message):
    body = message["body"]
    kind = body["type"]
    if kind == "init":
        node.id = body["node_id"]
        node.peers = [peer for peer in body["node_ids"] if peer != node.id]
        node.reply(message, {"type": "init_ok"})
    elif kind == "broadcast":
        values.add(body["message"])
        node.reply(message, {"type": "broadcast_ok"})
    elif kind == "state":
        values.update(body["values"])
        node.send(message["src"], {"type": "state_ok", "in_reply_to": body["msg_id"]})
    elif kind == "read":
        node.reply(message, {"type": "read_ok", "messages": sorted(values)})
    elif kind == "topology":
        node.reply(message, {"type": "topology_ok"})


pending = b""
due = time.monotonic() + PERIOD
while True:
    ready, _, _ = select.select([0], [], [], max(0, due - time.monotonic()))
    if ready:
        chunk = os.read(0, 65536)
        if not chunk:
            sys.exit()
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            handle(json.loads(line))
    if time.monotonic() >= due:
        due += PERIOD
        for peer in node.peers:
            node.calls += 1
            node.send(peer, {"type": "state", "msg_id": node.calls, "values": sorted(values)})
