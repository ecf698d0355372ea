#!/usr/bin/env python3
"""Counts; every node counts alike."""

from node import Node

node = Node()
count = 0


def handle(message, body):
    global count
    count += 1
    node.reply(message, {"type": "generate_ok", "id": count})


node.run(handle)
