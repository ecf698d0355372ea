#!/usr/bin/env python3
"""Does a cas by a read and a write on lin-kv: another write may come between."""

from node import Node

node = Node()


def handle(message, body):
    key = str(body["key"])
    if body["type"] == "cas":
        def write(answer):
            if answer["type"] == "error":
                node.reply(message, {"type": "error", "code": 20, "text": "no such key"})
            elif answer["value"] != body["from"]:
                node.reply(message, {"type": "error", "code": 22, "text": "another value"})
            else:
                node.call("lin-kv", {"type": "write", "key": key, "value": body["to"]},
                          lambda _: node.reply(message, {"type": "cas_ok"}))

        node.call("lin-kv", {"type": "read", "key": key}, write)
    else:
        node.call("lin-kv", {**body, "key": key}, lambda answer: node.reply(message, answer))


node.run(handle)
