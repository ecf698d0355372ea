#!/usr/bin/env python3
"""Replaces its set by that of a peer, where it should merge them."""

from node import Node

node = Node()
values = set()


def handle(message, body):
    kind = body["type"]
    if kind == "add":
        values.add(body["element"])
        node.reply(message, {"type": "add_ok"})
    elif kind == "state":
        values.clear()
        values.update(body["values"])
    elif kind == "read":
        node.reply(message, {"type": "read_ok", "value": sorted(values)})


def gossip():
    for peer in node.peers:
        node.send(peer, {"type": "state", "values": sorted(values)})


node.every(0.5, gossip)


node.run(handle)
