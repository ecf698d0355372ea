#!/usr/bin/env python3
"""Transactions on lists that every node does on a copy of its own; the appends reach the others later."""

from node import Node

node = Node()
lists = {}


def handle(message, body):
    if body["type"] == "appends":
        for key, value in body["pairs"]:
            lists.setdefault(key, []).append(value)
    elif body["type"] == "txn":
        done, pairs = [], []
        for step, key, value in body["txn"]:
            if step == "r":
                value = lists.get(key) and list(lists[key])
            else:
                lists.setdefault(key, []).append(value)
                pairs.append([key, value])
            done.append([step, key, value])
        for peer in node.peers:
            node.send(peer, {"type": "appends", "pairs": pairs})
        node.reply(message, {"type": "txn_ok", "txn": done})


node.run(handle)
