#!/usr/bin/env python3
"""Echoes, and at the third request prints what it is doing on stdout, where only messages belong."""

from node import Node

node = Node()
requests = 0


def handle(message, body):
    global requests
    requests += 1
    if requests == 3 and node.id == "n0":
        print("handling request 3", flush=True)
    node.reply(message, {"type": "echo_ok", "echo": body["echo"]})


node.run(handle)
