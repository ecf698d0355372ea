#!/usr/bin/env python3
"""Sleeps for six seconds at its third request, where clients wait for five."""

import time

from node import Node

node = Node()
requests = 0


def handle(message, body):
    global requests
    requests += 1
    if requests == 3:
        time.sleep(6)
    node.reply(message, {"type": "echo_ok", "echo": body["echo"]})


node.run(handle)
