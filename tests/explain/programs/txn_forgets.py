#!/usr/bin/env python3
"""Reads of a transaction do not see its own appends."""

from node import Node

node = Node()
lists = {}


def handle(message, body):
    before = {key: list(values) for key, values in lists.items()}
    done = []
    for step, key, value in body["txn"]:
        if step == "r":
            value = before.get(key)
        else:
            lists.setdefault(key, []).append(value)
        done.append([step, key, value])
    node.reply(message, {"type": "txn_ok", "txn": done})


node.run(handle)
