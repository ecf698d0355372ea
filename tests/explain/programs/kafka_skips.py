#!/usr/bin/env python3
"""A poll leaves out each message whose offset is a multiple of three, though all are in the log."""

from node import Node

node = Node()
logs = {}
commits = {}


def handle(message, body):
    kind = body["type"]
    if kind == "send":
        log = logs.setdefault(body["key"], [])
        log.append(body["msg"])
        node.reply(message, {"type": "send_ok", "offset": len(log) - 1})
    elif kind == "poll":
        messages = {
            key: [[at, msg] for at, msg in enumerate(logs.get(key, [])) if at >= offset and at % 3 != 2][:10]
            for key, offset in body["offsets"].items()
        }
        node.reply(message, {"type": "poll_ok", "msgs": messages})
    elif kind == "commit_offsets":
        commits.update(body["offsets"])
        node.reply(message, {"type": "commit_offsets_ok"})
    elif kind == "list_committed_offsets":
        node.reply(message, {"type": "list_committed_offsets_ok", "offsets": commits})


node.run(handle)
