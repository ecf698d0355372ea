#!/usr/bin/env python3
"""Sends all it has every 50 ms to everybody, whatever has been acknowledged, where a round trip takes 200 ms."""

from node import Node

node = Node()
values = set()


def handle(message, body):
    kind = body["type"]
    if kind == "broadcast":
        values.add(body["message"])
        node.reply(message, {"type": "broadcast_ok"})
    elif kind == "state":
        values.update(body["values"])
        node.send(message["src"], {"type": "state_ok", "in_reply_to": body["msg_id"]})
    elif kind == "read":
        node.reply(message, {"type": "read_ok", "messages": sorted(values)})
    elif kind == "topology":
        node.reply(message, {"type": "topology_ok"})


def gossip():
    for peer in node.peers:
        node.calls += 1
        node.send(peer, {"type": "state", "msg_id": node.calls, "values": sorted(values)})


node.every(0.05, gossip)


node.run(handle)
