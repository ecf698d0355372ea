#!/usr/bin/env python3
"""Replies at once and tells its peers every two seconds: what it had acknowledged dies with it."""

from node import Node

node = Node()
values = set()


def handle(message, body):
    kind = body["type"]
    if kind == "add":
        values.add(body["element"])
        node.reply(message, {"type": "add_ok"})
    elif kind == "state":
        values.update(body["values"])
    elif kind == "read":
        node.reply(message, {"type": "read_ok", "value": sorted(values)})


def gossip():
    for peer in node.peers:
        node.send(peer, {"type": "state", "values": sorted(values)})


node.every(2, gossip)


node.run(handle)
