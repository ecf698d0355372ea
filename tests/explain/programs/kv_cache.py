#!/usr/bin/env python3
"""Keeps what it read from lin-kv, and answers later reads of the key from there."""

from node import Node

node = Node()
cache = {}


def handle(message, body):
    key = str(body["key"])

    def answered(answer):
        if answer["type"] == "read_ok":
            cache[key] = answer["value"]
        node.reply(message, answer)

    if body["type"] == "read" and key in cache:
        node.reply(message, {"type": "read_ok", "value": cache[key]})
    else:
        node.call("lin-kv", {**body, "key": key}, answered)


node.run(handle)
