#!/usr/bin/env python3
"""Sends all it has with each new value, compressed, once, and never again."""

import base64
import json
import zlib

from node import Node

node = Node()
values = set()


def handle(message, body):
    kind = body["type"]
    if kind == "broadcast":
        values.add(body["message"])
        state = base64.b64encode(zlib.compress(json.dumps(sorted(values)).encode())).decode()
        for peer in node.peers:
            node.send(peer, {"type": "state", "state": state})
        node.reply(message, {"type": "broadcast_ok"})
    elif kind == "state":
        values.update(json.loads(zlib.decompress(base64.b64decode(body["state"]))))
    elif kind == "read":
        node.reply(message, {"type": "read_ok", "messages": sorted(values)})
    elif kind == "topology":
        node.reply(message, {"type": "topology_ok"})


node.run(handle)
