#!/usr/bin/env python3
"""Each node keeps what its own clients send, and sends it to nobody."""

from node import Node

node = Node()
values = []


def handle(message, body):
    kind = body["type"]
    if kind == "broadcast":
        values.append(body["message"])
        node.reply(message, {"type": "broadcast_ok"})
    elif kind == "read":
        node.reply(message, {"type": "read_ok", "messages": values})
    elif kind == "topology":
        node.reply(message, {"type": "topology_ok"})


node.run(handle)
