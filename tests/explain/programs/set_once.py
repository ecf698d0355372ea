#!/usr/bin/env python3
"""Sends each element once to every peer, and never again."""

from node import Node

node = Node()
values = set()


def handle(message, body):
    kind = body["type"]
    if kind == "add":
        values.add(body["element"])
        for peer in node.peers:
            node.send(peer, {"type": "state", "values": [body["element"]]})
        node.reply(message, {"type": "add_ok"})
    elif kind == "state":
        values.update(body["values"])
    elif kind == "read":
        node.reply(message, {"type": "read_ok", "value": sorted(values)})


node.run(handle)
