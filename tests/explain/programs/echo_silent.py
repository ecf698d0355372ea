#!/usr/bin/env python3
"""Answers four of five requests."""

from node import Node

node = Node()
requests = 0


def handle(message, body):
    global requests
    requests += 1
    if requests % 5:
        node.reply(message, {"type": "echo_ok", "echo": body["echo"]})


node.run(handle)
