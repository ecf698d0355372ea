#!/usr/bin/env python3
"""A counter in seq-kv that reads, adds and writes, without a cas: of two at once one is lost."""

from node import Node

node = Node()


def handle(message, body):
    def read(then):
        node.call("seq-kv", {"type": "read", "key": "sum"}, lambda answer: then(answer.get("value", 0)))

    if body["type"] == "add":
        def write(value):
            done = {"type": "write", "key": "sum", "value": value + body["delta"]}
            node.call("seq-kv", done, lambda _: node.reply(message, {"type": "add_ok"}))

        read(write)
    else:
        read(lambda value: node.reply(message, {"type": "read_ok", "value": value}))


node.run(handle)
