#!/usr/bin/env python3
"""Every node answers reads, writes and cas from a copy of its own, and tells the others of writes afterwards."""

from node import Node

node = Node()
state = {}


def put(key, value):
    state[key] = value
    for peer in node.peers:
        node.send(peer, {"type": "put", "key": key, "value": value})


def handle(message, body):
    kind, key = body["type"], body.get("key")
    if kind == "put":
        state[key] = body["value"]
    elif kind == "write":
        put(key, body["value"])
        node.reply(message, {"type": "write_ok"})
    elif key not in state:
        node.reply(message, {"type": "error", "code": 20, "text": "no such key"})
    elif kind == "read":
        node.reply(message, {"type": "read_ok", "value": state[key]})
    elif state[key] != body["from"]:
        node.reply(message, {"type": "error", "code": 22, "text": "another value"})
    else:
        put(key, body["to"])
        node.reply(message, {"type": "cas_ok"})


node.run(handle)
