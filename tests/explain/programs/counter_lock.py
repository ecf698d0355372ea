#!/usr/bin/env python3
"""A counter in seq-kv that handles one request after the other: while it waits for seq-kv, everybody waits for it."""

import json
import sys

from node import Node

node = Node()
queue = []


def ask(body):
    """Sends a request to seq-kv, and leaves everything else until the answer."""
    node.calls += 1
    node.send("seq-kv", {**body, "msg_id": node.calls})
    for line in sys.stdin:
        message = json.loads(line)
        if message["body"].get("in_reply_to") == node.calls:
            return message["body"]
        queue.append(message)
    sys.exit()


def serve(message):
    body = message["body"]
    value = ask({"type": "read", "key": "sum"}).get("value", 0)
    if body["type"] == "read":
        node.reply(message, {"type": "read_ok", "value": value})
        return
    while True:
        swap = {"type": "cas", "key": "sum", "from": value, "to": value + body["delta"], "create_if_not_exists": True}
        if ask(swap)["type"] == "cas_ok":
            break
        value = ask({"type": "read", "key": "sum"}).get("value", 0)
    node.reply(message, {"type": "add_ok"})


def handle(message, body):
    queue.append(message)
    while queue:
        serve(queue.pop(0))


node.run(handle)
