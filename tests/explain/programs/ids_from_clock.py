#!/usr/bin/env python3
"""The time in tenths of a second is an id, which a node gives to all requests within it."""

import time

from node import Node

node = Node()


def handle(message, body):
    node.reply(message, {"type": "generate_ok", "id": f"{node.id}@{int(time.time() * 10)}"})


node.run(handle)
