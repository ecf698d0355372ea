#!/usr/bin/env python3
"""Ids of the node's name and a count, which begins anew when the node is started again."""

from node import Node

node = Node()
count = 0


def handle(message, body):
    global count
    count += 1
    node.reply(message, {"type": "generate_ok", "id": f"{node.id}-{count}"})


node.run(handle)
