#!/usr/bin/env python3
"""Each node counts what its own clients add."""

from node import Node

node = Node()
total = 0


def handle(message, body):
    global total
    kind = body["type"]
    if kind == "add":
        total += body["delta"]
        node.reply(message, {"type": "add_ok"})
    elif kind == "read":
        node.reply(message, {"type": "read_ok", "value": total})


node.run(handle)
