#!/usr/bin/env python3
"""Every node has registers of its own, and tells the others what it wrote afterwards."""

from node import Node

node = Node()
registers = {}


def handle(message, body):
    if body["type"] == "writes":
        registers.update(body["pairs"])
    elif body["type"] == "txn":
        done, pairs = [], []
        for step, key, value in body["txn"]:
            if step == "r":
                value = registers.get(key)
            else:
                registers[key] = value
                pairs.append([key, value])
            done.append([step, key, value])
        for peer in node.peers:
            node.send(peer, {"type": "writes", "pairs": pairs})
        node.reply(message, {"type": "txn_ok", "txn": done})


node.run(handle)
