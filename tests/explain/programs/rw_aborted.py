#!/usr/bin/env python3
"""Every fourth transaction is answered by an error, and its writes stay all the same."""

from node import Node

node = Node()
registers = {}
requests = [0]


def handle(message, body):
    done = []
    for step, key, value in body["txn"]:
        if step == "r":
            value = registers.get(key)
        else:
            registers[key] = value
        done.append([step, key, value])
    requests[0] += 1
    if requests[0] % 4 == 0:
        node.reply(message, {"type": "error", "code": 30, "text": "conflict"})
    else:
        node.reply(message, {"type": "txn_ok", "txn": done})


node.run(handle)
