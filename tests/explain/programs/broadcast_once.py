#!/usr/bin/env python3
"""Sends each value once to every peer and never again: what a partition drops is lost there."""

from node import Node

node = Node()
values = []


def handle(message, body):
    kind = body["type"]
    if kind == "broadcast":
        values.append(body["message"])
        for peer in node.peers:
            node.send(peer, {"type": "news", "batch": {"values": [body["message"]]}})
        node.reply(message, {"type": "broadcast_ok"})
    elif kind == "news":
        values.extend(value for value in body["batch"]["values"] if value not in values)
    elif kind == "read":
        node.reply(message, {"type": "read_ok", "messages": values})
    elif kind == "topology":
        node.reply(message, {"type": "topology_ok"})


node.run(handle)
