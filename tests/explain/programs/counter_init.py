#!/usr/bin/env python3
"""Every node sets the counter to 0 when it starts, and does not wait until that is done."""

from node import Node

node = Node()


def handle(message, body):
    def swap(answer):
        value = answer.get("value", 0)
        if body["type"] == "read":
            node.reply(message, {"type": "read_ok", "value": value})
            return
        done = {"type": "cas", "key": "sum", "from": value, "to": value + body["delta"], "create_if_not_exists": True}
        node.call("lin-kv", done, lambda answer: node.reply(message, {"type": "add_ok"})
                  if answer["type"] == "cas_ok" else read())

    def read():
        node.call("lin-kv", {"type": "read", "key": "sum"}, swap)

    read()


def init():
    node.call("lin-kv", {"type": "write", "key": "sum", "value": 0}, lambda _: None)


node.run(handle, init)
