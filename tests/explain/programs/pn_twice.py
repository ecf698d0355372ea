#!/usr/bin/env python3
"""Sends each difference to its peers, and counts it as often as the network brings it."""

from node import Node

node = Node()
total = 0


def handle(message, body):
    global total
    kind = body["type"]
    if kind == "add":
        total += body["delta"]
        for peer in node.peers:
            node.send(peer, {"type": "delta", "delta": body["delta"]})
        node.reply(message, {"type": "add_ok"})
    elif kind == "delta":
        total += body["delta"]
    elif kind == "read":
        node.reply(message, {"type": "read_ok", "value": total})


node.run(handle)
